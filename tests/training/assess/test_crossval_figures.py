"""What other splits showed is told in figures that a model card can take."""

import json
from dataclasses import replace
from pathlib import Path

from training.assess.crossval_figures import (
    FoldPrediction,
    figure_in_words,
    record,
    split_entry,
    unknown_entry,
)


def answers(label: str, *said_: str, unknown: bool = False) -> list[FoldPrediction]:
    return [
        FoldPrediction(f"{label}{n}", f"{label}{n // 2}", label, answer, 0.9, unknown)
        for n, answer in enumerate(said_)
    ]


def test_all_folds_count_together_and_the_worst_is_named() -> None:
    found = {
        "anna": answers("one", "one", "one") + answers("two", "two", "two"),
        "ben": answers("one", "two", "one") + answers("two", "two", "two"),
    }
    entry = split_entry("unseen speaker", found, ["one", "two"])
    accuracy = entry["figures"]["accuracy"]
    assert accuracy["value"] == 0.875
    assert accuracy["low"] < 0.875 < accuracy["high"] <= 1
    assert "0.750 at worst, ben" in entry["note"]
    assert figure_in_words(entry).startswith("unseen speaker; accuracy 0.875 (")


def test_confidence_and_assertion_are_told_without_what_chance_shows() -> None:
    sure = [replace(each, asserted=True) for each in answers("one", *["one"] * 9, "two")]
    unsure = [replace(each, asserted=False) for each in answers("two", *["two"] * 9, "one")]
    note = split_entry("group", {"all": [*sure, *unsure]}, ["one", "two"])["note"]
    assert "calibration error above chance 0.000" in note  # right nine times in ten, as it says
    assert "asserted 50%, 90.0% of them right" in note


def test_strangers_and_acquaintances_called_unknown_are_counted_apart() -> None:
    found = {
        "one": answers("one", "two", "two", unknown=True) + answers("two", "two"),
        "two": answers("two", "one", "one") + answers("one", "one", unknown=True),
    }
    note = unknown_entry("unseen label", found)["note"]
    assert "50% of the clips" in note
    assert "(one 100%, two 0%)" in note
    assert "and 50% of the exam clips of the others" in note


def test_a_later_figure_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    file = tmp_path / "cards" / "faults.protocols.json"
    for name, note in (("random", "old"), ("group", "kept"), ("random", "new")):
        record(file, {"protocol": name, "figures": {}, "note": note})
    found = {each["protocol"]: each["note"] for each in json.loads(file.read_text())}
    assert found == {"random": "new", "group": "kept"}
