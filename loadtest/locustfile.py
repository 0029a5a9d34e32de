"""Users as Locust sees them: they send clips, and come back later when they are told to.

    locust -f loadtest/locustfile.py --host http://127.0.0.1:8000             Locust's own page
    locust -f loadtest/locustfile.py --host ... --headless -u 20 -t 30s NormalUser

TELLTALE_CLIP names the recording they send, TELLTALE_KEY the key they bring, TELLTALE_THINK_S
the normal user's pause ("0.5,2"). A 429 with Retry-After is a service that looks after itself,
not an error: it has a line of its own, "refused", and the user waits as long as it was asked to.
"""

import os
import random
import time
from functools import lru_cache

from locust import FastHttpUser, constant, task

from loadtest.client.clip import FORM_TYPE, REFUSED, clip_from, form

BATCH = 8
LONGEST_PAUSE_S = 30.0  # whatever Retry-After says; a test ends some time


@lru_cache
def body(field: str, clips: int) -> bytes:
    return form(field, [clip_from()] * clips)


@lru_cache
def think_s() -> tuple[float, float]:
    low, high = os.environ.get("TELLTALE_THINK_S", "0.5,2").split(",")
    return float(low), float(high)


class ClipUser(FastHttpUser):  # type: ignore[misc]  # Locust is untyped here
    abstract = True
    network_timeout = 60.0
    connection_timeout = 60.0

    def send(self, path: str, payload: bytes) -> None:
        headers = {"Content-Type": FORM_TYPE}
        if key := os.environ.get("TELLTALE_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        pause_s = 0.0
        with self.client.post(path, data=payload, headers=headers, catch_response=True) as reply:
            if reply.status_code == 429 and "retry-after" in reply.headers:
                reply.request_meta["name"] = REFUSED
                reply.success()
                pause_s = min(float(reply.headers["retry-after"]), LONGEST_PAUSE_S)
        time.sleep(pause_s)  # gevent's: only this user waits


class NormalUser(ClipUser):
    """Sends a clip now and then."""

    weight = 8

    def wait_time(self) -> float:
        return random.uniform(*think_s())

    @task
    def predict(self) -> None:
        self.send("/predict", body("file", 1))


class PowerUser(ClipUser):
    """Sends the next clip as soon as the last is answered."""

    weight = 2
    wait_time = constant(0)

    @task
    def predict(self) -> None:
        self.send("/predict", body("file", 1))


class StressUser(ClipUser):
    """Sends forms with many clips, one after another."""

    weight = 1
    wait_time = constant(0)

    @task
    def predict_many(self) -> None:
        self.send("/batch-predict", body("files", BATCH))
