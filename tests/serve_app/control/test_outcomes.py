"""outcomes.py, webhook.py: what is counted and told of runs, champions and the quarantine."""

import hashlib
import hmac
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request, Response

from data.home import home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from serve_app.control.outcomes import FILLING, Outcomes
from serve_app.control.webhook import MOST_WAITING, SIGNATURE, Webhook
from serve_app.replica.series import key
from support.local_server import Server

SECRET = "known to both of us"
WAIT_S = 30


class Receiver:
    """Refuses the first `busy` posts, and keeps what it is told and how that is signed."""

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.told: queue.Queue[tuple[bytes, str]] = queue.Queue()
        self.app = FastAPI()
        self.app.post("/hook")(self.take)

    async def take(self, request: Request) -> Response:
        if self.busy:
            self.busy -= 1
            return Response(status_code=503)
        self.told.put((await request.body(), request.headers[SIGNATURE]))
        return Response()

    def next(self) -> dict[str, Any]:
        body, signature = self.told.get(timeout=WAIT_S)
        assert signature == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
        told: dict[str, Any] = orjson.loads(body)
        return told


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = home_from_env({"TELLTALE_HOME": str(tmp_path)})
    opened = Store.open(home.database_url, home.storage_uri)
    yield opened
    opened.close()


def end(store: Store, run_id: str, state: Any, result: dict[str, Any]) -> None:
    store.runs.start(run_id, domain="faults", mode="teach", reason="", who="ann")
    store.runs.update(run_id, state=state, who="ann", result=result)


def test_what_happened_is_counted_and_told_once_signed_and_again_until_it_is_taken(
    store: Store,
) -> None:
    end(store, "before", "failed", {"message": "of an earlier life"})
    receiver = Receiver(busy=2)
    with Server(receiver.app) as url:
        hook = Webhook(f"{url}/hook", SECRET, pauses_s=(0.0, 0.0, 0.0))
        outcomes = Outcomes(store, ("faults", "hearts"), hook)
        assert set(outcomes.retrains.values()) == {0}
        end(store, "r1", "succeeded", {"version": "2", "promoted": True, "reasons": ["better"]})
        end(store, "r2", "succeeded", {"version": "3", "promoted": False, "reasons": ["worse"]})
        end(store, "r3", "failed", {"message": "the disk is full"})
        end(store, "r4", "succeeded", {"reasons": ["there is nothing new to learn"]})
        outcomes.look()
        outcomes.look()
        told = [receiver.next() for _ in range(3)]
        store.events.add("rolled_back", subject="model:faults:1", who="ann", domain="faults")
        outcomes.look()
        told.append(receiver.next())
    assert [each["event"] for each in told] == ["promoted", "refused", "failed", "promoted"]
    assert (told[0]["subject"], told[0]["version"]) == ("run:r1", "2")
    assert (told[1]["reasons"], told[2]["message"]) == (["worse"], "the disk is full")
    runs = {dict(labels)["outcome"]: n for (_, labels), n in outcomes.retrains.items() if n}
    assert runs == dict.fromkeys(("promoted", "refused", "failed", "unchanged"), 1)


def test_a_quarantine_that_fills_is_told_once_a_step(store: Store) -> None:
    receiver = Receiver(busy=0)
    with Server(receiver.app) as url:
        outcomes = Outcomes(store, ("faults",), Webhook(f"{url}/hook", SECRET))
        for number in range(FILLING[0]):
            raw = str(number).encode()
            new = NewClip(raw, "faults", "fluid", None, "quarantined", "upload", 1.0, 16_000)
            store.clips.add(new, who="somebody")
        outcomes.look()
        outcomes.look()
        told = receiver.next()
        assert receiver.told.empty()
    assert told["event"] == "quarantine_filling"
    assert outcomes.quarantined == {key("telltale_quarantined_clips", domain="faults"): 25}


def test_an_address_that_nobody_can_post_to_does_not_end_the_thread() -> None:
    hook = Webhook("https://host:abc/hook", SECRET, pauses_s=(0.0,))
    assert not hook._deliver(b"{}")


def test_a_receiver_that_is_away_holds_up_nobody_and_is_not_remembered_for_ever() -> None:
    hook = Webhook("http://127.0.0.1:9/hook", SECRET, pauses_s=(3600.0,))
    for _ in range(3 * MOST_WAITING):
        hook.tell({"event": "failed"})
    assert hook._waiting.qsize() <= MOST_WAITING
