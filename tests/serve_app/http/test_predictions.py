"""predictions.py: many clips of one request."""

import asyncio
import weakref
from types import SimpleNamespace
from typing import Any

from serve_app.http.predictions import AT_ONCE, Asked, predict_all


class Scored:
    """As large as the features of its clip."""


class Counting:
    """A replica that knows how many of its answers somebody still holds."""

    metrics: Any = None
    prediction_log: Any = None
    domain = SimpleNamespace(serving=SimpleNamespace(split=()))

    def __init__(self) -> None:
        self.answers: list[weakref.ref[Scored]] = []
        self.most = 0

    async def predict(self, raw: bytes, who: str, deadline: float) -> Scored:
        await asyncio.sleep(0)
        found = Scored()
        self.answers.append(weakref.ref(found))
        self.most = max(self.most, sum(answer() is not None for answer in self.answers))
        return found


def test_of_many_clips_the_features_do_not_lie_in_memory_together() -> None:
    service: Any = Counting()
    asked = Asked("ann", "ann", None)
    clips, kept = [b"clip"] * 200, list[bytes]()
    one = predict_all(service, clips, asked, lambda found: "heard", lambda raw, _: kept.append(raw))
    told = asyncio.run(one)
    assert told == ["heard"] * 200
    assert (service.most <= AT_ONCE, kept) == (True, clips)
