"""Other splits than a data set's own, for figures that can be compared with papers.

Two ways: `folds` deals all clips into parts, each the exam of a model that learnt the others;
`leave_out` keeps the train side and leaves one speaker, or one label, out of it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.datasets.sources import Example
from data.domains.domain import AudioDomain, Domain
from data.errors import InvalidParameter

LABEL, RANDOM, GROUP = "label", "random", "group"


@dataclass(frozen=True)
class Fold:
    """What one model learns from and is asked. `strangers` are of a label that it has not."""

    name: str
    domain: Domain
    train: tuple[Example, ...]
    exam: tuple[Example, ...]
    strangers: tuple[Example, ...] = ()


def folds(domain: Domain, rows: Sequence[Example], by: str, parts: int) -> list[Fold]:
    """`by` is random (clips of one recording on both sides, as many papers do), group, or a column
    of the data set's list, which then says the parts."""
    place = PARTS[by](rows, parts) if by in PARTS else _column(rows, by)
    found = []
    for name in sorted(set(place)):
        exam = tuple(row for row, where in zip(rows, place, strict=True) if where == name)
        train = tuple(row for row, where in zip(rows, place, strict=True) if where != name)
        found.append(Fold(name, domain, train if by == RANDOM else _apart(train, exam), exam))
    return found


def _apart(train: Sequence[Example], exam: Sequence[Example]) -> tuple[Example, ...]:
    """Without the groups of the exam: even a benchmark's own folds share a few recordings."""
    asked = {row.group for row in exam}
    return tuple(row for row in train if row.group not in asked)


def leave_out(domain: Domain, rows: Sequence[Example], by: str) -> list[Fold]:
    """Trained on train rows without one value of `by`, a column of the list or the label.

    Asked about all rows of that value; without a label, about the test rows of the others, with
    all its own rows as strangers.
    """
    train = [row for row in rows if row.split == "train"]
    if by != LABEL:
        values = _column(rows, by)
        return [
            Fold(
                value,
                domain,
                tuple(row for row in train if row.columns[by] != value),
                tuple(row for row in rows if row.columns[by] == value),
            )
            for value in sorted(set(values))
        ]
    if len(domain.labels) < 3:
        raise InvalidParameter(
            f"{domain.name} has {len(domain.labels)} labels; without one of them there is nothing "
            "to tell apart: three are needed, or another column"
        )
    return [
        Fold(
            label,
            _without(domain, label),
            tuple(row for row in train if row.label != label),
            tuple(row for row in rows if row.split == "test" and row.label != label),
            tuple(row for row in rows if row.label == label),
        )
        for label in domain.labels
    ]


def _without(domain: Domain, label: str) -> Domain:
    changes: dict[str, Any] = {"labels": tuple(x for x in domain.labels if x != label)}
    if isinstance(domain, AudioDomain) and domain.rest_label == label:
        changes["rest_label"] = None
    return domain.model_copy(update=changes)


def _column(rows: Sequence[Example], name: str) -> list[str]:
    if any(not row.columns.get(name) for row in rows):
        known = ", ".join(sorted({*PARTS, *rows[0].columns}))
        raise InvalidParameter(f"not every clip has a {name!r}; what can be named: {known}")
    return [row.columns[name] for row in rows]


def _random(rows: Sequence[Example], parts: int) -> list[str]:
    """Each label dealt out in the order of a hash: the same clips on every machine."""
    return _dealt([_hash(row.path.name) for row in rows], [row.label for row in rows], parts)


def _by_group(rows: Sequence[Example], parts: int) -> list[str]:
    """Whole groups, the largest first, each to the part with the fewest clips of its labels."""
    groups: Mapping[str, list[Example]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    labels = sorted({row.label for row in rows})
    held = np.zeros((parts, len(labels)))
    part_of: dict[str, int] = {}
    for group in sorted(groups, key=lambda name: (-len(groups[name]), _hash(name))):
        counts = np.array([sum(row.label == x for row in groups[group]) for x in labels])
        place = int(np.argmin((held * (counts > 0)).sum(axis=1) + 1e-3 * held.sum(axis=1)))
        held[place] += counts
        part_of[group] = place
    return [_name(part_of[row.group]) for row in rows]


def _dealt(keys: Sequence[str], labels: Sequence[str], parts: int) -> list[str]:
    order = sorted(range(len(keys)), key=lambda place: (labels[place], keys[place]))
    part = dict(zip(order, (_name(number % parts) for number in range(len(order))), strict=True))
    return [part[place] for place in range(len(keys))]


def _name(part: int) -> str:
    return f"part-{part + 1}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


PARTS: dict[str, Callable[[Sequence[Example], int], list[str]]] = {
    RANDOM: _random,
    GROUP: _by_group,
}
