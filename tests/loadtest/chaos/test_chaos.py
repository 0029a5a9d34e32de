"""loadtest/chaos/: what is tried, which bars there are, and what breaks one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from data.errors import InvalidParameter, NotReady
from loadtest.chaos import __main__ as chaos
from loadtest.chaos import disturbance
from loadtest.chaos.__main__ import TABLE, chosen
from loadtest.chaos.clients import Kind, Sent, kind_of
from loadtest.chaos.disturbance import (
    KINDS,
    Audit,
    Disturbance,
    Effect,
    Subject,
    Verdict,
    broken,
    shown_of,
    verdict_of,
)
from loadtest.command import exit_code
from loadtest.report import page

ABOUT = {"at": "2026-11-28 12:00", "domain": "keywords", "load average before": (0.1, 0.2, 0.3)}
AUDIT = Audit(kept=12, lost=(), foreign=())
MOMENTS = (10.0, 15.0, 20.0)  # began, over, closed


def nothing(subject: Subject) -> Effect:
    return Effect(lambda: True)


ROW = Disturbance("kill-part", "kill -9 of one part", nothing, bar_s=6.0, p99_ms=1000.0)


def sent(ended: float, kind: Kind = "ok", took: float = 0.1, path: str = "/predict") -> Sent:
    words = "" if kind == "ok" else "500"
    return Sent(path, ended - took, ended, kind, words)


def judged(
    *requests: Sent, back: tuple[float | None, str] = (1.0, ""), effect: Effect | None = None
) -> Verdict:
    return verdict_of(ROW, effect or nothing_done(), back, MOMENTS, requests)


def nothing_done() -> Effect:
    return Effect(lambda: True)


def counts(verdict: Verdict) -> dict[str, int]:
    return {kind: verdict.row[kind] for kind in KINDS}


def test_a_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)


def test_the_order_is_the_tables_and_the_short_setting_a_part_of_it() -> None:
    assert [row.name for row in chosen("kill-gcs, swap", quick=False)] == ["swap", "kill-gcs"]
    assert list(chosen("", quick=False)) == list(TABLE)
    assert {row.name for row in chosen("", quick=True)} == {
        "kill-replica",
        "kill-curator",
        "kill-haproxy",
        "slow-heads",
    }


def test_an_unknown_disturbance_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidParameter, match="no disturbance 'flood'; there are kill-trainer"):
        chosen("flood", quick=False)


def test_a_wrong_name_is_said_before_a_service_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(chaos.tried, chaos.parsed(["--only", "flood"])) == 1
    assert capsys.readouterr().err.startswith("telltale: there is no disturbance 'flood'")


@pytest.mark.parametrize(
    ("status", "retry_after", "body", "kind"),
    [
        (200, False, {"domain": "keywords"}, "ok"),
        (201, False, {"domain": "keywords"}, "ok"),
        (200, False, {"domain": "faults"}, "foreign"),
        (200, False, None, "foreign"),
        (401, False, None, "foreign"),
        (429, True, None, "busy"),
        (429, False, None, "error"),
        (503, True, None, "busy"),
        (503, False, None, "error"),
        (404, False, None, "error"),
        (500, True, None, "error"),
    ],
)
def test_only_who_says_when_to_come_back_may_refuse(
    status: int, retry_after: bool, body: object, kind: str
) -> None:
    assert kind_of(status, retry_after, "keywords", body)[0] == kind


def test_what_was_answered_as_it_should_be_breaks_nothing() -> None:
    found = judged(sent(11.0), sent(12.0, "busy"), sent(13.0, "unanswered", path="/feedback"))
    assert found.broken == []
    assert counts(found) == {"ok": 1, "busy": 1, "unanswered": 1, "error": 0, "foreign": 0}


def test_a_request_belongs_to_the_disturbance_in_which_it_ended() -> None:
    found = judged(sent(9.9), sent(11.0, took=5.0), sent(20.1, "error"))
    assert counts(found) == {"ok": 1, "busy": 0, "unanswered": 0, "error": 0, "foreign": 0}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (judged(sent(11.0, "error")), "1 wrong answers; 0 are allowed"),
        (judged(sent(11.0, "foreign")), "1 answers of a stranger; 0 are allowed"),
        (judged(sent(11.0), back=(6.5, "")), "back after 6.5 s; at most 6 are allowed"),
        (judged(sent(11.0), back=(None, "the launcher ended")), "itself: the launcher ended"),
        (judged(sent(14.0, took=3.0)), "predictions took 3000 ms (p99)"),
        (judged(sent(14.0, "unanswered")), "predictions took 15000 ms (p99)"),
        (judged(sent(11.0), effect=Effect(lambda: True, broken=("it spooled",))), "it spooled"),
    ],
)
def test_each_bar_is_broken_in_words(found: Verdict, words: str) -> None:
    assert any(words in one for one in found.broken)


def test_the_gap_is_between_two_predictions_that_were_answered() -> None:
    answered = [sent(moment) for moment in (10.5, 11.0, 16.0, 19.0)]
    others = [sent(13.0, "unanswered"), sent(14.0, path="/feedback")]
    assert judged(*answered, *others).row["longest_gap_s"] == 5.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lost": ("ab", "cd")}, "2 acknowledged clips are lost, such as ab, cd"),
        ({"foreign": ("a", "b", "c", "d")}, "4 clips are a stranger's, such as a, b, c"),
        ({"strange_versions": ("version 7",)}, "that are not here, such as version 7"),
        ({"kept": 0}, "no clip was acknowledged"),
    ],
)
def test_what_the_audit_misses_breaks_a_bar(change: dict[str, object], words: str) -> None:
    (found,) = broken("", [judged(sent(11.0))], replace(AUDIT, **change))  # type: ignore[arg-type]
    assert words in found


def test_what_was_left_out_after_a_failed_start_breaks_a_bar() -> None:
    (found,) = broken("after kill-gcs, no start", [], AUDIT)
    assert found == "stopped before the end: after kill-gcs, no start"


def test_the_report_tells_whether_a_bar_was_broken() -> None:
    good, bad = judged(sent(11.0)), judged(sent(11.0), sent(12.0, "error", path="/upload"))
    skipped = Verdict("clock", {"bars": "skipped"}, ["skipped: needs libfaketime"])
    text = page("Chaos", shown_of(ABOUT, [good, skipped], AUDIT, []))
    assert "skipped: needs libfaketime" in text
    assert "Every bar was kept." in text
    assert broken("", [good, bad], AUDIT) == ["kill-part: 1 wrong answers; 0 are allowed"]
    assert bad.causes == {"/upload 500": 1}


class Restarting:
    """Of a service, what `disturbed` does with one that is not back."""

    def __init__(self) -> None:
        self.restarts = 0

    def restart(self) -> None:
        self.restarts += 1


def never() -> bool:
    raise NotReady("the launcher ended with code 1")


@pytest.mark.parametrize(("back", "restarts"), [(lambda: True, 0), (never, 1), (None, 1)])
def test_who_does_not_get_over_it_is_started_anew_at_once_for_the_next(
    back: Callable[[], bool] | None, restarts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do(subject: Subject) -> Effect:
        if back is None:
            raise NotReady("no process of this service is a part")
        return Effect(back)

    class NoRequests:
        requests: tuple[Sent, ...] = ()

    monkeypatch.setattr(disturbance, "SETTLE_S", 0.0)
    service = Restarting()
    found = disturbance.disturbed(
        replace(ROW, do=do, p99_ms=None),
        Subject(service, NoRequests()),  # type: ignore[arg-type]
    )
    assert service.restarts == restarts
    assert bool(found.broken) == bool(restarts)
