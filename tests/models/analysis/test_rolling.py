"""rolling.py: events that are told while they happen are those of the whole recording."""

import numpy as np
import pytest

from models.analysis.rolling import RollingEvents, Told
from models.analysis.sound_events import Event, Heard, Rules, find_events

LABELS, WINDOW_S, HOP_S = ("a", "b", "rest"), 1.0, 0.1


def told_of(heard: Heard, rules: Rules) -> list[Told]:
    rolling, told = RollingEvents(LABELS, WINDOW_S, HOP_S, rules), []
    windows = zip(heard.starts_s, heard.probabilities, heard.unknown, strict=True)
    for start_s, row, strange in windows:
        told += rolling.add(float(start_s), row, bool(strange))
    return told + rolling.end(heard.duration_s)


def rounded(events: list[Event]) -> list[tuple[object, ...]]:
    return sorted(
        (e.label, round(e.start_s, 6), round(e.end_s, 6), round(e.confidence, 6)) for e in events
    )


@pytest.mark.parametrize("gap_s", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("least_s", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("sure_s", [0.0, 0.3])
@pytest.mark.parametrize("skipped", [0.0, 0.3])
def test_what_has_ended_is_what_is_found_in_the_whole(
    gap_s: float, least_s: float, sure_s: float, skipped: float
) -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 0.4, (600, 3)), axis=0)
    scores = ((np.sin(walk * 2) + 1) / 2).astype(np.float32)
    unknown = rng.random(600) < 0.05
    rules = Rules({"a": 0.8, "b": 0.6}, merge_gap_s=gap_s, min_length_s=least_s, sure_s=sure_s)
    starts = np.linspace(0, 599 * HOP_S, 600, dtype=np.float64)
    duration_s, kept = float(starts[-1] + WINDOW_S), rng.random(600) >= skipped
    kept[0] = True  # a stream begins with its first window
    whole = Heard(LABELS, WINDOW_S, duration_s, starts[kept], scores[kept], unknown[kept])
    ended = [told.event for told in told_of(whole, rules) if told.ended]
    assert len(ended) > 20
    assert rounded(ended) == rounded(find_events(whole, rules))


def test_an_event_is_told_as_soon_as_it_is_long_enough() -> None:
    scores = np.zeros((20, 3), np.float32)
    scores[5:15, 0] = 0.9
    rules = Rules({"a": 0.8}, min_length_s=0.3)
    rolling = RollingEvents(LABELS, WINDOW_S, HOP_S, rules)
    told = [rolling.add(place * HOP_S, row, False) for place, row in enumerate(scores)]
    began, ended = (
        next(n for n, row in enumerate(told) if row and row[0].ended is end)
        for end in (False, True)
    )
    assert (began, ended) == (7, 15)
    assert told[7][0].event.start_s == pytest.approx(0.95)


@pytest.mark.parametrize("duration_s", [0.3, 1.25])
def test_the_end_of_the_sound_is_heard_as_in_the_whole(duration_s: float) -> None:
    """A short sound is long enough as a whole; the last window ends where the sound does."""
    first = min(0.0, (duration_s - WINDOW_S) / 2)
    starts_s = np.unique([first, *np.arange(0, duration_s - WINDOW_S, HOP_S), duration_s - 1.0])
    starts_s = starts_s[starts_s >= first]
    scores = np.full((len(starts_s), 3), 0.9, np.float32)
    rules = Rules({"a": 0.8}, min_length_s=0.5, sure_s=0.5)
    heard = Heard(LABELS, WINDOW_S, duration_s, starts_s, scores, np.zeros(len(scores), bool))
    ended = [told.event for told in told_of(heard, rules) if told.ended]
    assert rounded(ended) == rounded(find_events(heard, rules))
    assert [round(event.end_s, 6) for event in ended] == [duration_s]


def test_where_another_goes_on_an_event_ends_where_its_last_window_does() -> None:
    rolling = RollingEvents(LABELS, WINDOW_S, HOP_S, Rules({"a": 0.8}, min_length_s=0.5))
    row = np.full(3, 0.9, np.float32)
    told = [each for place in range(5) for each in rolling.add(place * HOP_S, row, False)]
    assert [each.ended for each in told] == [False]
    (ended,) = rolling.end()
    assert ended.ended
    assert ended.event.end_s == pytest.approx(0.95)


def test_what_was_told_is_told_as_ended() -> None:
    """Also where the end of the sound takes something of it back."""
    rolling = RollingEvents(LABELS, WINDOW_S, HOP_S, Rules({"a": 0.8}, min_length_s=0.55))
    (begun,) = rolling.add(0.0, np.full(3, 0.9, np.float32), False)
    assert not begun.ended
    (ended,) = rolling.add(0.05, np.zeros(3, np.float32), False)
    assert ended.ended
