"""What other splits showed, in figures, and beside a bundle's card.

`models/cards/<domain>.protocols.json` is a list of {protocol, figures, note}; the model card has
them in a table.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.tasks import intervals


@dataclass(frozen=True)
class Answer:
    """What a fold's model said of a clip that it had never heard."""

    clip: str
    group: str
    label: str
    answer: str
    confidence: float
    unknown: bool


Answers = Mapping[str, Sequence[Answer]]  # by fold


def split_entry(protocol: str, found: Answers, labels: Sequence[str]) -> dict[str, Any]:
    """All folds' answers together; every clip was asked about once."""
    answers = [answer for fold in found.values() for answer in fold]
    tables = np.zeros((len(answers), len(labels), len(labels)), np.int64)
    for table, answer in zip(tables, answers, strict=True):
        table[labels.index(answer.label), labels.index(answer.answer)] = 1
    groups = np.unique([answer.group for answer in answers], return_inverse=True)[1]
    figures = {name: _rounded(asdict(each)) for name, each in intervals(tables, groups).items()}
    by_fold = {
        name: _share(answer.label == answer.answer for answer in each)
        for name, each in found.items()
    }
    worst = min(by_fold, key=lambda name: by_fold[name])
    note = (
        f"{len(answers)} clips in {groups.max() + 1} groups; accuracy of {len(found)} models "
        f"{np.mean(list(by_fold.values())):.3f} in the mean, {by_fold[worst]:.3f} at worst, {worst}"
    )
    return {"protocol": protocol, "figures": figures, "note": note}


def unknown_entry(protocol: str, found: Answers) -> dict[str, Any]:
    """Of models that each lacked one label: how often its clips, and how often others, were called
    unknown."""
    strangers: dict[str, float] = {}
    known: list[bool] = []
    for label, answers in found.items():
        strangers[label] = _share(a.unknown for a in answers if a.label == label)
        known += [a.unknown for a in answers if a.label != label]
    each = ", ".join(f"{label} {share:.0%}" for label, share in strangers.items())
    note = (
        f"called unknown: {np.mean(list(strangers.values())):.0%} of the clips of a label that was "
        f"left out ({each}) and {np.mean(known):.0%} of the exam clips of the others"
    )
    return {"protocol": protocol, "figures": {}, "note": note}


def said(entry: Mapping[str, Any]) -> str:
    """One line for the terminal."""
    figures = [
        f"{name} {each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f})"
        for name, each in entry["figures"].items()
    ]
    return "; ".join([entry["protocol"], *figures, entry["note"]])


def record(file: Path, entry: Mapping[str, Any]) -> None:
    """In place of what the same protocol showed before."""
    entries = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    by_name = {each["protocol"]: each for each in [*entries, entry]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(by_name.values()), indent=2) + "\n", encoding="utf-8")


def _share(them: Any) -> float:
    return float(np.mean(list(them)))


def _rounded(figure: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figure.items()}
