"""One address that is told what happens, signed, in a thread of its own: nobody waits for it."""

import hashlib
import hmac
import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

log = logging.getLogger("ray.serve")

SIGNATURE = "X-Telltale-Signature"
MOST_WAITING = 100
PAUSES_S = (0.0, 1.0, 5.0, 30.0, 120.0)  # before each try
TIMEOUT_S = 10.0


class Webhook:
    """What it is told is posted in that order, as JSON, signed as GitHub does: `sha256=` and the
    HMAC of the body. What is not taken is tried again, then given up, as is what does not fit into
    the queue. The address is never logged: it may hold a secret."""

    def __init__(self, url: str, secret: str, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._url, self._secret, self._pauses_s = url, secret.encode(), pauses_s
        self._waiting: queue.Queue[Mapping[str, Any]] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._work, name="webhook", daemon=True).start()

    def tell(self, told: Mapping[str, Any]) -> None:
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            log.warning("the webhook is too slow: it is not told of %s", told["event"])

    def _work(self) -> None:
        while True:
            told = self._waiting.get()
            if not self._deliver(orjson.dumps(told)):
                log.warning("the webhook did not take %s of %s", told["event"], told.get("domain"))

    def _deliver(self, body: bytes) -> bool:
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", SIGNATURE: f"sha256={signature}"}
        for pause_s in self._pauses_s:
            time.sleep(pause_s)
            try:
                if httpx.post(
                    self._url, content=body, headers=headers, timeout=TIMEOUT_S
                ).is_success:
                    return True
            except (httpx.HTTPError, httpx.InvalidURL):
                continue
        return False
