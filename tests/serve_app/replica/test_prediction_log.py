"""prediction_log.py: what a domain's file asks for is kept, and never at an answer's cost."""

import threading
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.domains.sections import KeepSpec
from data.errors import InvalidParameter
from serve_app.replica.champion import load_shipped
from serve_app.replica.prediction_log import WAITING_BYTES, PredictionLog
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from support.inputs.sounds import tone

NOTHING = KeepSpec(sample=0.0, unsure=False, unknown=False, clips=False, days=1)


class Store:
    """Writes what it is given once it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.rows: list[Any] = []
        self.predictions = SimpleNamespace(add=self._add)

    def _add(self, new: Any, raw: bytes, **how: object) -> None:
        assert self.let.wait(30)
        self.rows.append(new)


@pytest.fixture(scope="module")
def found() -> ScoredClip:
    served = load_shipped("keywords")
    assert served is not None
    (found,) = answer_batch(served, [Item(tone(), 0.0, float("inf"))])
    assert isinstance(found, ScoredClip)
    return replace(found, scores=replace(found.scores, unknown_reason=None))


def prediction_log(store: Store, counted: list[str], **spec: object) -> PredictionLog:
    return PredictionLog(
        NOTHING.model_copy(update=spec),
        lambda: store,  # type: ignore[arg-type, return-value]
        counted.append,
    )


def test_answers_that_it_cannot_keep_up_with_are_dropped_and_counted(found: ScoredClip) -> None:
    store, counted = Store(), list[str]()
    writer, large = prediction_log(store, counted, sample=1.0), bytes(WAITING_BYTES // 10)
    for _ in range(10):
        with writer.together() as offer:
            offer(large, found)
            offer(large, found)
    assert counted == ["dropped"] * 11, "all requests together hold so much"
    store.let.set()
    writer.flush()
    assert counted[11:] == ["kept"] * len(store.rows) == ["kept"] * 9
    writer.offer(large, found)
    writer.flush()
    assert len(store.rows) == 10, "what was written has made room"


def test_a_request_of_many_small_clips_is_kept_whole(found: ScoredClip) -> None:
    store, counted = Store(), list[str]()
    store.let.set()
    writer = prediction_log(store, counted, sample=1.0)
    with writer.together() as offer:
        for _ in range(200):
            offer(tone(), found)
    writer.flush()
    assert counted == ["kept"] * 200


def test_answers_of_one_request_are_kept_together_or_not_at_all(found: ScoredClip) -> None:
    store, counted = Store(), list[str]()
    store.let.set()
    writer = prediction_log(store, counted, sample=1.0)
    with suppress(InvalidParameter), writer.together() as offer:
        offer(bytes(WAITING_BYTES), found)
        raise InvalidParameter("the next one is none")
    with writer.together() as offer:
        offer(b"clip", found)
        writer.flush()
        assert counted == []
    writer.flush()
    assert counted == ["kept"]


def test_what_the_file_asks_for_is_kept_and_nothing_else(found: ScoredClip) -> None:
    store, counted = Store(), list[str]()
    store.let.set()
    unknown = replace(found, scores=replace(found.scores, unknown_reason="too quiet"))
    level = np.full(10, 0.1, np.float32)
    unsure = replace(
        found, scores=replace(unknown.scores, probabilities=level, unknown_reason=None)
    )
    asked: list[dict[str, object]] = [{}, {"unknown": True}, {"unsure": True}, {"sample": 1.0}]
    for spec in asked:
        writer = prediction_log(store, counted, **spec)
        writer.offer(b"clip", unsure)
        writer.offer(b"clip", unknown)
        writer.flush()
    assert [row.why for row in store.rows] == ["unknown", "unsure", "sample", "sample"]


def test_where_nothing_is_asserted_as_of_photographs_what_is_unlikely_is_unsure(
    found: ScoredClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(found.scores), "asserted", None)
    store, counted = Store(), list[str]()
    store.let.set()
    writer = prediction_log(store, counted, unsure=True)
    for confidence in (0.55, 0.95):
        shares = np.full(10, (1 - confidence) / 9, np.float32)
        shares[0] = confidence
        scores = replace(found.scores, probabilities=shares)
        writer.offer(b"clip", replace(found, scores=scores))
    writer.flush()
    assert [max(row.probabilities.values()) for row in store.rows] == [0.55]


def test_a_store_that_fails_costs_the_answers_alone(found: ScoredClip) -> None:
    counted: list[str] = []
    broken = SimpleNamespace()
    writer = prediction_log(broken, counted, sample=1.0)  # type: ignore[arg-type]
    writer.offer(b"one", found)
    writer.offer(b"two", found)
    writer.flush()
    assert counted == ["dropped", "dropped"]
