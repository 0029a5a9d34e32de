"""What other splits showed, in figures, and beside a bundle's card.

`models/cards/<domain>.protocols.json` is a list of {protocol, figures, note, recipe, start, code};
the model card has them in tables. Older entries lack the last three. `start` is the backbone that
training began with, null where it was from scratch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.arrays import Integers
from models.metrics import Interval, confusion_by_clip, excess_error, intervals, segmentation, share


@dataclass(frozen=True)
class FoldPrediction:
    """What a fold's model said of a clip that it had never heard. `overlap` is of a photograph:
    pixels that are in both masks, in the answer, and in the right one."""

    clip: str
    group: str
    label: str
    answer: str
    confidence: float
    unknown: bool
    asserted: bool | None = None  # None of answers from before it was kept
    overlap: tuple[int, int, int] | None = None


Answers = Mapping[str, Sequence[FoldPrediction]]  # by fold

WORDS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "dice": "Dice",
    "iou": "IoU",
    "unknown_strangers": "called unknown: strangers",
    "unknown_known": "others",
}


def drawn_whole(found: Answers) -> Answers:
    """Each fold as one group: all that one speaker says is alike, in whatever recording."""
    return {name: [replace(answer, group=name) for answer in each] for name, each in found.items()}


def split_entry(protocol: str, found: Answers, labels: Sequence[str]) -> dict[str, Any]:
    """All folds' answers together; every clip was asked about once."""
    answers = [answer for fold in found.values() for answer in fold]
    by_fold = {name: _right(each) for name, each in found.items()}
    worst = min(by_fold, key=lambda name: by_fold[name])
    masks, groups = bool(answers[0].overlap), len({answer.group for answer in answers})
    spread = _mask_intervals(answers) if masks else _label_intervals(answers, labels)
    note = (
        f"{len(answers)} clips in {groups} groups; {WORDS[next(iter(spread))]} of {len(found)} "
        f"models {np.mean(list(by_fold.values())):.3f} in the mean, {by_fold[worst]:.3f} at worst, "
        f"{worst}"
    )
    if not masks:
        note += f"; {_trust(answers)}"
    figures = {name: _rounded(each) for name, each in spread.items()}
    return {"protocol": protocol, "figures": figures, "note": note}


def _right(answers: Sequence[FoldPrediction]) -> float:
    """Accuracy, or of photographs the Dice coefficient of all their pixels together."""
    if not answers[0].overlap:
        return _share(answer.label == answer.answer for answer in answers)
    both, answered, right = _overlaps(answers).sum(axis=0)
    return float(2 * both / max(1, answered + right))


def _overlaps(answers: Sequence[FoldPrediction]) -> Integers:
    return np.array([answer.overlap for answer in answers], np.int64)


def _mask_intervals(answers: Sequence[FoldPrediction]) -> dict[str, Interval]:
    groups = [answer.group for answer in answers]
    found = segmentation(_overlaps(answers), groups, found=0.0)
    return {"dice": found.dice, "iou": found.iou}


def _label_intervals(
    answers: Sequence[FoldPrediction], labels: Sequence[str]
) -> dict[str, Interval]:
    right, said = (
        np.array([labels.index(label) for label in each], np.int64)
        for each in ((a.label for a in answers), (a.answer for a in answers))
    )
    tables = confusion_by_clip(right, said, len(labels))
    return intervals(tables, np.unique([a.group for a in answers], return_inverse=True)[1])


def _trust(answers: Sequence[FoldPrediction]) -> str:
    """How far confidence and assertion held."""
    groups = np.unique([answer.group for answer in answers], return_inverse=True)[1]
    right = np.array([answer.label == answer.answer for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    error = excess_error(confidence, right, groups)
    asserted = np.array([bool(answer.asserted) for answer in answers])
    sure = f", {right[asserted].mean():.1%} of them right" if asserted.any() else ""
    return f"calibration error above chance {error:.3f}; asserted {asserted.mean():.0%}{sure}"


def unknown_entry(protocol: str, found: Answers) -> dict[str, Any]:
    """Of models that each lacked one label: how often its clips, and how often others, were called
    unknown."""
    strangers = {
        label: [a for a in answers if a.label == label] for label, answers in found.items()
    }
    known = [a for label, answers in found.items() for a in answers if a.label != label]
    figures = {
        "unknown_strangers": _called_unknown([a for each in strangers.values() for a in each]),
        "unknown_known": _called_unknown(known),
    }
    by_label = ", ".join(
        f"{label} {_share(a.unknown for a in each):.0%}" for label, each in strangers.items()
    )
    note = (
        f"{figures['unknown_strangers']['value']:.0%} of the clips of a label that was left out "
        f"({by_label}) and {figures['unknown_known']['value']:.0%} of the exam clips of the others"
    )
    return {"protocol": protocol, "figures": figures, "note": note}


def _called_unknown(answers: Sequence[FoldPrediction]) -> dict[str, float]:
    return _rounded(share(np.array([a.unknown for a in answers]), [a.group for a in answers]))


def figure_in_words(entry: Mapping[str, Any]) -> str:
    """One line for the terminal."""
    figures = [f"{WORDS[name]} {with_interval(each)}" for name, each in entry["figures"].items()]
    return "; ".join([entry["protocol"], *figures, entry["note"]])


def with_interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def protocols_file(cards: Path, domain: str) -> Path:
    return cards / f"{domain}.protocols.json"


def record(file: Path, entry: Mapping[str, Any]) -> None:
    """In place of what the same protocol showed before."""
    entries = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    by_name = {each["protocol"]: each for each in [*entries, entry]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(by_name.values()), indent=2) + "\n", encoding="utf-8")


def _share(them: Any) -> float:
    return float(np.mean(list(them)))


def _rounded(figure: Interval) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(figure).items()}
