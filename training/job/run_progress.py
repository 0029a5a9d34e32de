"""What a run tells people while it works: events in the store, lines on the terminal.

The service shows the events (as server-sent events, and in the page); whoever started the run by
hand reads the lines. Kinds and details are part of the HTTP contract.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from data.database.schema import RunState
from data.errors import TelltaleError
from data.store.events import Event
from data.store.store import Store
from training.screening.uploads import Refusal

Say = Callable[[str], None]
POLL_S = 0.3
MOST_TOLD = 20  # of the clips that an event names
BEAT_S = 2.0


class Progress:
    """Events of one run, in the name of `who`; `say` prints, or does nothing."""

    def __init__(self, store: Store, run_id: str, domain: str, who: str, say: Say) -> None:
        self.store = store
        self.run_id = run_id
        self.subject = f"run:{run_id}"
        self.domain = domain
        self.who = who
        self.say = say
        self.seconds: dict[str, float] = {}
        self._current: tuple[str, float] | None = None

    def started(self, mode: str) -> None:
        self.store.runs.update(self.run_id, state="running", who=self.who)
        self.say(f"{self.domain}: {mode} run {self.run_id} started")

    def fixed_snapshot(self, snapshot: str, clips: int) -> None:
        """Recorded, so that a run that is killed and started again learns from the same list."""
        message = f"Learning from list {snapshot[:12]}: {clips} accepted clips from people"
        self.step("snapshot", message, 0.02, snapshot=snapshot)

    def step(self, step: str, message: str, fraction: float, **more: str) -> None:
        self.end_step()
        self._current = (step, time.monotonic())
        self._event("step", {"step": step, "message": message, "fraction": fraction, **more})
        self.say(f"[{fraction:4.0%}] {message}")

    def end_step(self) -> None:
        if self._current:
            name, since = self._current
            took = self.seconds.get(name, 0.0) + time.monotonic() - since
            self.seconds[name] = round(took, 2)
            self._current = None

    def verdict(self, promoted: bool, reasons: tuple[str, ...]) -> None:
        self._event("verdict", {"promoted": promoted, "reasons": list(reasons)})
        for reason in reasons:
            self.say(f"       {reason}")

    def held_back(self, refusals: Sequence[Refusal]) -> None:
        """Clips that wait from now on, so that the others can be learnt."""
        told = [{"clip": each.sha256, "label": each.label} for each in refusals]
        self._event("held_back", {"clips": told[:MOST_TOLD], "count": len(refusals)})
        for each in refusals[:MOST_TOLD]:
            self.say(f"       {each.sha256[:12]} ({each.label}): {each.reason}")

    def finished(self, state: RunState, result: dict[str, Any]) -> None:
        """The run's end in the store, with its event; result["message"] is the last line."""
        self.end_step()
        self.store.runs.update(self.run_id, state=state, who=self.who, result=result)
        self.say(str(result["message"]))

    def _event(self, kind: str, detail: dict[str, Any]) -> None:
        self.store.events.add(
            kind, subject=self.subject, who=self.who, domain=self.domain, detail=detail
        )


@contextmanager
def beating(progress: Progress) -> Iterator[None]:
    """Signs of life of a run that the job list of the service's cluster need not know of."""
    done = threading.Event()
    threading.Thread(target=_beat, args=(progress, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _beat(progress: Progress, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        with suppress(TelltaleError):  # the database is away: the next one counts as well
            progress.store.runs.beat(progress.run_id)


@dataclass(frozen=True)
class EpochReporter:
    """Writes epochs from wherever the worker runs: it travels, an open store cannot."""

    # May carry passwords, and Ray Train writes down what it was given.
    database_url: str = field(repr=False)
    storage_uri: str = field(repr=False)
    run_id: str
    domain: str
    who: str

    def __call__(self, detail: dict[str, Any]) -> None:
        store = Store.open(self.database_url, self.storage_uri)
        store.events.add(
            "epoch", subject=f"run:{self.run_id}", who=self.who, domain=self.domain, detail=detail
        )
        store.close()


@contextmanager
def epochs_on_terminal(progress: Progress) -> Iterator[None]:
    """Prints the epochs that workers, other processes perhaps, record meanwhile."""
    done = threading.Event()
    seen = max((event.id for event in _all_events(progress, 0)), default=0)
    thread = threading.Thread(target=_print_epochs, args=(progress, seen, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _print_epochs(progress: Progress, seen: int, done: threading.Event) -> None:
    last = False
    while not last:
        last = done.wait(POLL_S)  # one more look after the end, for the last epochs
        for event in _all_events(progress, seen):
            seen = event.id
            if event.kind == "epoch":
                progress.say(_epoch_line(event.detail))


def _all_events(progress: Progress, after: int) -> list[Event]:
    return progress.store.events.find(subject=progress.subject, after=after, limit=1000)


def _epoch_line(detail: Mapping[str, Any]) -> str:
    return (
        f"       epoch {detail['epoch']}/{detail['of']}: train loss {detail['train_loss']:.3f}, "
        f"validation loss {detail['validation_loss']:.3f}, "
        f"macro-F1 {detail['validation_macro_f1']:.3f}"
    )
