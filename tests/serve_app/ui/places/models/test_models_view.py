"""models_view.py: which version one goes back to, and what waits to be learnt."""

from datetime import UTC, datetime

import pytest

from serve_app.client.service_answers import DomainStatus, ModelVersion, Move, Run
from serve_app.ui.places.models import models_run, models_view


def version(number: str, verdict: str = "promoted", *aliases: str) -> ModelVersion:
    made = datetime.now(UTC)
    return ModelVersion(
        version=number,
        digest="0" * 64,
        aliases=aliases,
        created=made,
        mode="teach",
        verdict=verdict,
    )


def test_going_back_twice_goes_two_versions_back() -> None:
    found = [version("3", "promoted", "champion"), version("2"), version("1", "shipped")]
    assert models_view.before_champion(found) == "2"
    back = [version("3", "promoted", "previous"), version("2", "promoted", "champion"), found[2]]
    assert models_view.before_champion(back) == "1"
    last = [version("3"), version("2", "promoted", "previous"), version("1", "shipped", "champion")]
    assert models_view.before_champion(last) is None


def test_nobody_goes_back_to_a_version_that_was_refused_and_numbers_are_no_words() -> None:
    found = [version("11", "promoted", "champion"), version("10", "refused"), version("9")]
    assert models_view.before_champion(found) == "9"


@pytest.mark.parametrize(
    ("new", "words"),
    [(0, "Nothing waits to be learnt"), (1, "1 correction waits"), (4, "4 corrections wait")],
)
def test_what_a_teach_would_learn_is_told_before_it_is_started(new: int, words: str) -> None:
    status = DomainStatus(title="Any", agree=True, clips={"new": new})
    line = models_view.Line(status, (version("1", "shipped", "champion"),))
    assert words in models_view.shown(line, "", "")


def test_a_version_that_remembers_what_it_should_have_forgotten_is_served_with_a_warning() -> None:
    move = Move(
        domain="any",
        version="1",
        digest="0",
        replicas=2,
        agree=True,
        seconds=0.2,
        warning="it holds",
    )
    assert "it holds" in models_view.moved(move)


def test_the_way_back_names_a_version_and_is_asked_about() -> None:
    found = (version("2", "promoted", "champion"), version("1", "shipped"))
    line = models_view.Line(DomainStatus(title="Any", agree=True), found)
    assert "Go back to version 1" in models_view.shown(line, "", "")
    assert "Yes, go back to version 1" in models_view.shown(line, "1", "")
    earlier = (version("2"), version("1", "shipped", "champion"))
    again = models_view.shown(models_view.Line(line.status, earlier), "2", "")
    assert "Let version 2 serve" in again


def test_a_run_tells_what_started_it() -> None:
    run = Run(
        id="r1",
        domain="any",
        mode="teach",
        state="succeeded",
        trigger="new_clips",
        who="trigger",
        created=datetime.now(UTC),
    )
    assert "by new clips" in models_view.runs([run])
    assert "started by new clips" in models_run.progress(run, [])
    of_before = run.model_copy(update={"trigger": ""})
    assert "started" not in models_run.progress(of_before, [])
