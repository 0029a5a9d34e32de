"""telltale recalibrate --from reviews: a label is asserted as people found its answers right."""

from pathlib import Path

import pytest

from data.domains.domain import load_domains
from data.home import home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import load_bundle
from models.registry.registry import Registry
from support.corrections import add_correction
from support.tiny import fresh_registry, tiny_bundle
from training.assess.calibration.reviewed_thresholds import fewest
from training.recalibrate import main

DOMAIN = load_domains(names=("faults",))["faults"]


@pytest.fixture
def registry(found_store: Store, tmp_path: Path) -> Registry:
    """Where a tiny model is champion that asserts every label from 0.5 on."""
    registry = fresh_registry(home_from_env().root)
    bundle = tiny_bundle(tmp_path / "b", DOMAIN, assert_at=dict.fromkeys(DOMAIN.labels, 0.5))
    registry.promote("faults", registry.register(bundle, run_id=None, tags={}).number)
    return registry


def review(store: Store, number: int, confidence: float, right: str, answer: str = "fluid") -> None:
    """Somebody says what a clip is, and an admin that somebody is right."""
    raw = f"clip {number} {answer}".encode()
    new = NewClip(raw, "faults", right, None, "quarantined", "upload", 1.0, 16_000)
    sha256 = store.clips.add(new, who="anna")[0].sha256
    add_correction(
        store,
        domain="faults",
        clip_sha256=sha256,
        predicted=answer,
        confidence=confidence,
        corrected=right,
        version="1",
        state="quarantined",
        reason="",
        who="anna",
    )
    store.clips.set_state("faults", sha256, "accepted", who="admin")


def test_a_label_is_asserted_from_where_its_reviewed_answers_were_right(
    found_store: Store, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        review(found_store, number, 0.90, "fluid")
        right = "fluid" if number % 2 else "normal"
        review(found_store, 100 + number, 0.60 - number / 1000, right)
    review(found_store, 0, 0.99, "fluid", answer="normal")  # one alone says nothing
    assert main(["faults", "--precision", "0.95", "--from", "reviews"]) == 0
    said = capsys.readouterr().out
    assert "30 of 40 right; asserted from 0.90, before: 0.50" in said
    assert "0 of 1 right; asserted from 0.50, as before: 18 reviewed answers are needed" in said
    assert "telltale promote faults 2" in said
    new = load_bundle(registry.fetch(registry.version("faults", "2"), home_from_env().bundles))
    assert new.card.assert_at == {**dict.fromkeys(DOMAIN.labels, 0.5), "fluid": 0.9}
    champion = registry.champion("faults")
    assert champion is not None
    assert (champion.number, new.card.parent) == ("1", champion.digest)


def test_a_label_that_was_never_right_often_enough_is_asserted_no_more(
    found_store: Store, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        review(found_store, number, 0.9, "fluid" if number % 2 else "normal")
    assert main(["faults", "--from", "reviews"]) == 0
    assert "10 of 20 right; asserted from never, before: 0.50" in capsys.readouterr().out
    assert len(registry.versions("faults")) == 2


def test_without_reviews_nothing_changes(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["faults", "--from", "reviews"]) == 0
    assert "No threshold changes." in capsys.readouterr().out
    assert len(registry.versions("faults")) == 1


@pytest.mark.usefixtures("found_store")
def test_photographs_assert_nothing_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cracks", "--from", "reviews"]) == 1
    assert "nothing of cracks is asserted" in capsys.readouterr().err


def test_so_many_right_answers_are_believed() -> None:
    assert [fewest(precision) for precision in (0.5, 0.9, 0.95)] == [0, 8, 18]
