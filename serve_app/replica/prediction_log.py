"""Logs a part of the predictions, where a domain's file asks for it (`keep`).

A thread writes them, so that no answer waits for it; those that it cannot write in time are dropped
and counted.
"""

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from data.arrays import Floats
from data.domains.sections import KeepSpec
from models.card import BACKBONE
from serve_app.replica.champion import LoadedVersion
from serve_app.replica.scoring import ScoredClip

if TYPE_CHECKING:
    from data.database.schema import KeptFor
    from data.store.kept_predictions import NewPrediction
    from data.store.store import Store

WAITING_BYTES = 64_000_000  # of answers that wait to be written, at most; one alone may have more
SURE = 0.6  # from here on, as on the page, where no card says what is asserted

log = logging.getLogger("ray.serve")

Counted = Callable[[Literal["kept", "dropped"]], None]
Offer = Callable[[bytes, ScoredClip], None]


class Chosen(NamedTuple):
    """An answer that is to be kept, without the clip's features, which take megabytes."""

    raw: bytes
    why: "KeptFor"
    served: LoadedVersion
    best: int
    unknown: bool
    probabilities: Floats  # [C]
    embedding: Floats  # [D]

    @property
    def size_bytes(self) -> int:
        return len(self.raw) + self.probabilities.nbytes + self.embedding.nbytes


class PredictionLog:
    """`store` is called in the thread, first when there is something to keep; `counted` is told
    what became of each answer that was to be kept."""

    def __init__(self, spec: KeepSpec, store: "Callable[[], Store]", counted: Counted) -> None:
        self._spec = spec
        self._store = store
        self._counted = counted
        self._queue: queue.Queue[Chosen] = queue.Queue()
        self._waiting_bytes = 0  # also of requests that are still being answered
        self._counting = threading.Lock()
        threading.Thread(target=self._run, name="keeping", daemon=True).start()

    def offer(self, raw: bytes, found: ScoredClip) -> None:
        """Never waits, never raises."""
        if (chosen := self._chosen(raw, found)) and self._has_room(chosen):
            self._queue.put(chosen)

    @contextmanager
    def together(self) -> Iterator[Offer]:
        """What is offered inside is kept once the block has ended, and none of it where that
        fails: a request that is refused leaves nothing behind."""
        waiting: list[Chosen] = []
        is_over = False

        def offer(raw: bytes, found: ScoredClip) -> None:
            if is_over:  # a clip that is still answered, although the request has failed
                return
            if (chosen := self._chosen(raw, found)) and self._has_room(chosen):
                waiting.append(chosen)

        try:
            yield offer
        except BaseException:
            for chosen in waiting:
                self._let_go(chosen)
            raise
        finally:
            is_over = True
        for chosen in waiting:
            self._queue.put(chosen)

    def flush(self) -> None:
        """Waits until all that was offered is kept or dropped."""
        self._queue.join()

    def _has_room(self, chosen: Chosen) -> bool:
        """Holds its bytes, or counts the answer as dropped."""
        with self._counting:
            after = self._waiting_bytes + chosen.size_bytes
            has_room = not self._waiting_bytes or after <= WAITING_BYTES
            if has_room:
                self._waiting_bytes = after
        if not has_room:
            self._counted("dropped")
        return has_room

    def _let_go(self, chosen: Chosen) -> None:
        with self._counting:
            self._waiting_bytes -= chosen.size_bytes

    def _chosen(self, raw: bytes, found: ScoredClip) -> Chosen | None:
        why, scores = self._why(found), found.scores
        if why is None:
            return None
        shares, embedding = scores.probabilities, scores.embedding
        return Chosen(raw, why, found.served, scores.best, scores.unknown, shares, embedding)

    def _why(self, found: ScoredClip) -> "KeptFor | None":
        scores, spec = found.scores, self._spec
        if spec.unknown and scores.unknown:
            return "unknown"
        sure = scores.confidence >= SURE if scores.asserted is None else scores.asserted
        if spec.unsure and not scores.unknown and not sure:
            return "unsure"
        return "sample" if spec.sample and random.random() < spec.sample else None

    def _run(self) -> None:
        spec = self._spec
        while True:
            chosen = self._queue.get()
            try:
                self._store().predictions.add(
                    _row(chosen), chosen.raw, with_clip=spec.clips, days=spec.days, most=spec.most
                )
                self._counted("kept")
            except Exception:  # a disk that is full, a database that is away: the answer went out
                log.warning("an answer could not be kept", exc_info=True)
                self._counted("dropped")
            finally:
                self._let_go(chosen)
                self._queue.task_done()


def _row(chosen: Chosen) -> "NewPrediction":
    from data.store.kept_predictions import NewPrediction  # and with it SQL, in the thread

    served = chosen.served
    shares = np.round(chosen.probabilities.astype(float), 6).tolist()
    return NewPrediction(
        domain=served.domain.name,
        version=served.version,
        label=served.bundle.labels[chosen.best],
        probabilities=dict(zip(served.bundle.labels, shares, strict=True)),
        unknown=chosen.unknown,
        why=chosen.why,
        backbone=served.bundle.card.files[BACKBONE],
        embedding=chosen.embedding.astype(np.float16).tobytes(),
    )
