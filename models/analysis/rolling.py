"""Events while they happen: the hysteresis of `sound_events.py`, a window at a time.

An event is told as soon as it is long enough to be one, and again when it has ended; what is told
as ended is what `find_events` finds in the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from data.arrays import Floats
from data.domains.domain import AudioDomain
from models.analysis.sliding_windows import Wishes, planned
from models.analysis.sound_events import LEAVE, Event, Rules, thresholds
from models.runtime import Model

ROUNDING_S = 1e-9


@dataclass
class Run:
    """Windows one behind another that stay at `leave` or above; `surely`: one reached `enter`."""

    start_s: float
    end_s: float = 0.0
    surely: bool = False  # one window was
    now: bool = False  # the newest window is
    sure_s: float = 0.0
    confidence: float = -1.0
    peak_s: float = 0.0
    told: bool = False

    def reach(self, end_s: float) -> None:
        """It is now known to where the newest window answers."""
        self.sure_s += self.now * (end_s - self.end_s)
        self.end_s = end_s

    def follow(self, before: "Run") -> None:
        self.start_s, self.told = before.start_s, before.told
        self.sure_s += before.sure_s
        if before.confidence >= self.confidence:
            self.confidence, self.peak_s = before.confidence, before.peak_s


@dataclass(frozen=True)
class Told:
    event: Event
    ended: bool


def rolling_events(model: Model, domain: AudioDomain) -> "RollingEvents":
    """As the domain's file says now; what it does not say is as in a recording (`planned`)."""
    hop_s, rules = planned(model, domain, Wishes())
    said = domain.stream
    if said is None:
        return RollingEvents(model.labels, domain.input.window_s, hop_s, rules)
    enter = thresholds(model.card, domain.rest_label)
    rules = Rules(enter, merge_gap_s=said.hop_s, min_length_s=said.min_length_s)
    return RollingEvents(model.labels, said.window_s, said.hop_s, rules)


@dataclass
class RollingEvents:
    """Of windows one hop apart, or more where some were skipped: as in a recording a window answers
    from half way to the one before. `rules.top_n` is for recordings that have ended."""

    labels: tuple[str, ...]
    window_s: float
    hop_s: float
    rules: Rules
    _runs: dict[str, Run] = field(default_factory=dict)  # that go on, surely or not
    _events: dict[str, Run] = field(default_factory=dict)  # the newest that is sure
    _middle_s: float | None = None  # of the newest window

    def add(self, start_s: float, probabilities: Floats, unknown: bool) -> list[Told]:
        """The window that begins at `start_s`, with its calibrated probabilities [C]."""
        scores = dict(zip(self.labels, probabilities.tolist(), strict=True))
        middle_s = start_s + self.window_s / 2
        left_s = self._left_s(start_s, middle_s)
        self._middle_s = middle_s
        for run in self._runs.values():
            run.reach(left_s)
        return [
            told
            for label in self.rules.enter
            for told in self._heard(label, scores[label], left_s, middle_s, unknown)
        ]

    def end(self, duration_s: float | None = None) -> list[Told]:
        """What was going on when the sound ended, or where another goes on behind the newest
        window."""
        if duration_s is not None:
            for run in self._runs.values():
                run.reach(duration_s)
            # All of a short sound is long enough.
            least_s = min(self.rules.min_length_s, duration_s)
            sure_s = min(self.rules.sure_s, duration_s)
            self.rules = replace(self.rules, min_length_s=least_s, sure_s=sure_s)
        return [told for label in list(self._events) for told in self._ended(label)]

    def _left_s(self, start_s: float, middle_s: float) -> float:
        if self._middle_s is not None:
            return (self._middle_s + middle_s) / 2
        return middle_s - self.hop_s / 2 if start_s > 0 else 0.0

    def _heard(
        self, label: str, score: float, left_s: float, middle_s: float, unknown: bool
    ) -> Iterator[Told]:
        right_s = middle_s + self.hop_s / 2
        enter = self.rules.enter[label]
        surely = score >= enter and not unknown
        run = None
        if not unknown and score >= min(enter, self.rules.leave.get(label, LEAVE * enter)):
            run = self._runs.setdefault(label, Run(left_s, left_s))
            run.surely, run.now = run.surely or surely, surely
            run.reach(right_s)
            if score > run.confidence:
                run.confidence, run.peak_s = score, middle_s
        else:
            self._runs.pop(label, None)
        event, next_s = self._events.get(label), run.start_s if run else right_s
        if event and event is not run and next_s - event.end_s > self._gap_s:
            yield from self._ended(label)
            event = None
        if run and run.surely and event is not run:
            if event:
                run.follow(event)
            event = self._events[label] = run
        if event and not event.told and self._is_long(event):
            event.told = True
            yield Told(_event(label, event), ended=False)

    def _ended(self, label: str) -> Iterator[Told]:
        run = self._events.pop(label)
        if run.told or self._is_long(run):
            yield Told(_event(label, run), ended=True)

    def _is_long(self, run: Run) -> bool:
        length_s = run.end_s - run.start_s
        is_sure = run.sure_s >= self.rules.sure_s - ROUNDING_S
        return is_sure and length_s >= self.rules.min_length_s - ROUNDING_S

    @property
    def _gap_s(self) -> float:
        return self.rules.merge_gap_s + ROUNDING_S


def _event(label: str, run: Run) -> Event:
    return Event(label, run.start_s, run.end_s, run.confidence, run.peak_s)
