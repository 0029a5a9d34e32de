"""Probabilities window by window -> events: what was heard, from when to when, how surely.

An event of a label begins and ends where its probability falls below `leave`, or what is heard is
unlike anything learnt; it is one only if it reaches `enter` in between, in windows that answer for
`sure_s` together: one threshold alone would cut an event in pieces wherever it wavers. All of it is
a few array operations a label, so that thresholds can be tried at no cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.card import Card

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNSAID = 0.5  # of labels whose card does not say how sure an answer has to be
LEAVE = 0.5  # of `enter`


@dataclass(frozen=True)
class Heard:
    """A recording as the network hears it. Window i begins at `starts_s[i]` and is answered by
    `probabilities[i]` [C], calibrated; `unknown[i]`: it is unlike anything learnt."""

    labels: tuple[str, ...]
    window_s: float
    duration_s: float
    starts_s: Doubles
    probabilities: NDArray[np.float32]
    unknown: Bools


@dataclass(frozen=True)
class Event:
    """`confidence` is that of its surest window, whose middle is at `peak_s`."""

    label: str
    start_s: float
    end_s: float
    confidence: float
    peak_s: float


@dataclass(frozen=True)
class Rules:
    """`enter` by label; what is not named is no event. Gaps up to `merge_gap_s` are bridged, then
    events are dropped that last less than `min_length_s` or are at `enter` for less than `sure_s`,
    then all but the `top_n` surest; of which no more than so many are made of a label."""

    enter: Mapping[str, float]
    leave: Mapping[str, float] = field(default_factory=dict)  # LEAVE of `enter` if not named
    merge_gap_s: float = 0.0
    min_length_s: float = 0.0
    sure_s: float = 0.0
    top_n: int | None = None


def thresholds(card: Card, rest_label: str | None) -> dict[str, float]:
    """By label: from which probability on the card asserts it. The rest is no event."""
    asserted = {label: card.assert_at.get(label) for label in card.labels if label != rest_label}
    return {label: UNSAID if least is None else least for label, least in asserted.items()}


def find_events(heard: Heard, rules: Rules) -> list[Event]:
    """In order of time. Those of different labels may overlap."""
    edges = window_edges(heard)
    found = [
        event
        for column, label in enumerate(heard.labels)
        if label in rules.enter
        for event in _of_label(heard, column, edges, rules)
    ]
    if rules.top_n is not None:
        found = sorted(found, key=lambda event: -event.confidence)[: rules.top_n]
    return sorted(found, key=lambda event: (event.start_s, event.end_s, event.label))


def window_edges(heard: Heard) -> Doubles:
    """[N + 1]: the part of the recording that each window answers for, from half way to the window
    before to half way to the one behind it. A sound as long as a window is then as long an event.
    """
    centres = heard.starts_s + heard.window_s / 2
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[0.0], between, [heard.duration_s]])


def _of_label(heard: Heard, column: int, edges: Doubles, rules: Rules) -> list[Event]:
    label = heard.labels[column]
    scores = np.where(heard.unknown, -1.0, heard.probabilities[:, column])
    enter = rules.enter[label]
    leave = min(enter, rules.leave.get(label, LEAVE * enter))
    surely = scores >= enter
    firsts, ends = active(scores, surely, leave)
    firsts, ends = merged(firsts, ends, edges, rules.merge_gap_s)
    sure_s = np.concatenate([[0.0], np.cumsum(np.diff(edges) * surely)])
    # All of a short recording is long enough.
    is_long = edges[ends] - edges[firsts] >= min(rules.min_length_s, heard.duration_s) - 1e-9
    is_sure = sure_s[ends] - sure_s[firsts] >= min(rules.sure_s, heard.duration_s) - 1e-9
    firsts, ends = surest(scores, firsts[is_long & is_sure], ends[is_long & is_sure], rules.top_n)
    return [
        _event(heard, label, scores, edges, first, end)
        for first, end in zip(firsts, ends, strict=True)
    ]


def active(scores: Doubles, surely: Bools, leave: float) -> tuple[Places, Places]:
    """Runs [first, end) of windows that stay at `leave` or above, one of them `surely` it."""
    firsts, ends = _runs(surely | (scores >= leave))
    total = np.concatenate([[0], np.cumsum(surely)])
    kept = total[ends] > total[firsts]
    return firsts[kept], ends[kept]


def merged(firsts: Places, ends: Places, edges: Doubles, gap_s: float) -> tuple[Places, Places]:
    """Without the gaps of at most `gap_s` between runs."""
    if not len(firsts) or gap_s <= 0:
        return firsts, ends
    apart = edges[firsts[1:]] - edges[ends[:-1]] > gap_s + 1e-9
    return firsts[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]


def surest(
    scores: Doubles, firsts: Places, ends: Places, most: int | None
) -> tuple[Places, Places]:
    """Those runs, in order, whose surest windows are the surest."""
    if most is None or len(firsts) <= most:
        return firsts, ends
    peaks = np.maximum.reduceat(np.append(scores, -1.0), np.ravel([firsts, ends], "F"))[::2]
    chosen = np.sort(np.argsort(-peaks, kind="stable")[:most])
    return firsts[chosen], ends[chosen]


def _runs(inside: Bools) -> tuple[Places, Places]:
    steps = np.diff(np.concatenate([[0], inside.astype(np.int8), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _event(
    heard: Heard, label: str, scores: Doubles, edges: Doubles, first: int, end: int
) -> Event:
    peak = first + int(scores[first:end].argmax())
    return Event(
        label=label,
        start_s=float(edges[first]),
        end_s=float(edges[end]),
        confidence=float(scores[peak]),
        peak_s=float(heard.starts_s[peak]) + heard.window_s / 2,
    )
