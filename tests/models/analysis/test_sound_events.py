"""sound_events.py: what is an event of a recording, and from when to when."""

from typing import Any

import numpy as np
import pytest

from models.analysis import sound_events
from models.analysis.sound_events import Event, Heard, Rules, find_events

LABELS = ("fault", "rest")
RULES = Rules({"fault": 0.8})


def heard(*scores: float, window_s: float = 4.0, unknown: tuple[int, ...] = ()) -> Heard:
    """A window a second, each with a probability of `fault`."""
    count = len(scores)
    column = np.array(scores, np.float32)
    marks = np.zeros(count, bool)
    marks[list(unknown)] = True
    return Heard(
        LABELS,
        window_s,
        count - 1 + window_s,
        np.arange(count, dtype=np.float64),
        np.stack([column, 1 - column], axis=1),
        marks,
    )


def spans(found: list[Event]) -> list[tuple[float, float]]:
    return [(event.start_s, event.end_s) for event in found]


def test_an_event_ends_only_where_it_falls_below_the_lower_threshold() -> None:
    wavering = heard(0.1, 0.5, 0.9, 0.6, 0.85, 0.45, 0.3, 0.1)
    assert spans(find_events(wavering, RULES)) == [(2.5, 7.5)]


def test_what_never_reaches_the_upper_threshold_is_no_event() -> None:
    assert find_events(heard(0.1, 0.7, 0.79, 0.7, 0.1), RULES) == []


def test_a_sound_as_long_as_a_window_is_as_long_an_event() -> None:
    """It begins at 6 s and lasts 4; half of it is in the windows from 4 s to 8 s."""
    found = find_events(heard(*[0.0] * 4, *[0.9] * 5, *[0.0] * 4), RULES)
    assert spans(found) == [(5.5, 10.5)]


def test_an_event_at_an_edge_reaches_to_the_edge() -> None:
    found = find_events(heard(0.9, 0.9, 0.1, 0.1, 0.9), RULES)
    assert spans(found) == [(0.0, 3.5), (5.5, 8.0)]


def test_a_gap_is_bridged_before_short_events_are_dropped() -> None:
    split = heard(0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1)
    rules = Rules({"fault": 0.8}, merge_gap_s=1.0, min_length_s=2.0)
    assert spans(find_events(split, rules)) == [(2.5, 6.5)]
    assert len(find_events(split, RULES)) == 3


def test_all_of_a_short_recording_is_an_event() -> None:
    rules = Rules({"fault": 0.8}, min_length_s=10.0)
    assert spans(find_events(heard(0.9), rules)) == [(0.0, 4.0)]


def test_what_is_unknown_is_no_part_of_an_event() -> None:
    """Noise that is nearest to a label, however near, does not go on with its event."""
    assert find_events(heard(0.1, 0.9, 0.1, unknown=(1,)), RULES) == []
    noise = heard(*[0.9] * 7, unknown=(0, 1, 4, 5, 6))
    assert spans(find_events(noise, RULES)) == [(3.5, 5.5)]
    gap = heard(0.9, 0.9, 0.9, unknown=(1,))
    assert len(find_events(gap, RULES)) == 2
    assert spans(find_events(gap, Rules({"fault": 0.8}, merge_gap_s=1.0))) == [(0.0, 6.0)]


def test_an_event_is_sure_for_long_enough_altogether() -> None:
    once = heard(0.1, 0.5, 0.9, 0.5, 0.5, 0.1, 0.1, 0.9, 0.5, 0.9, 0.1)
    rules = Rules({"fault": 0.8}, min_length_s=2.0, sure_s=2.0)
    assert spans(find_events(once, rules)) == [(8.5, 11.5)]
    assert spans(find_events(heard(0.9), rules)) == [(0.0, 4.0)]


def test_the_surest_are_kept_in_order_of_time() -> None:
    many = heard(0.85, 0.1, 0.95, 0.1, 0.81, 0.1, 0.9)
    found = find_events(many, Rules({"fault": 0.8}, top_n=2))
    assert [event.confidence for event in found] == pytest.approx([0.95, 0.9])
    assert [event.peak_s for event in found] == [4.0, 8.0]


def test_no_more_events_are_made_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A noisy day at a low threshold would have millions."""
    made: list[Event] = []
    real = sound_events._event

    def counted(*arguments: Any) -> Event:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(sound_events, "_event", counted)
    noisy = heard(*[0.9, 0.1] * 50, 0.95)
    found = find_events(noisy, Rules({"fault": 0.8}, top_n=3))
    assert [event.peak_s for event in found] == [2.0, 4.0, 102.0]
    assert len(made) == 3


def test_only_labels_with_a_threshold_make_events() -> None:
    labels = {event.label for event in find_events(heard(0.1, 0.9, 0.1), RULES)}
    assert labels == {"fault"}


def test_silence_and_nothing_make_no_events() -> None:
    assert find_events(heard(0.0, 0.0), RULES) == []
    assert find_events(heard(), RULES) == []
