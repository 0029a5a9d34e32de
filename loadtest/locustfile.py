"""Users as Locust sees them: they send clips, and come back later when they are told to.

    locust -f loadtest/locustfile.py --host http://127.0.0.1:8000             Locust's own page
    locust -f loadtest/locustfile.py --host ... --headless -u 20 -t 30s NormalUser

TELLTALE_CLIP names a recording to send instead of a made one, TELLTALE_KEY the key they bring,
TELLTALE_THINK_S the normal user's pause ("0.5,2"). A 429 with Retry-After is a service that looks
after itself, no error: it has a line of its own, "refused", and the user waits as long as asked to.
"""

import os
import random
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, task

from loadtest.clip import FORM_TYPE, REFUSED, form, tone_in_noise

LONGEST_PAUSE_S = 30.0  # whatever Retry-After says; a test ends some time


@lru_cache
def body(field: str, clips: int) -> bytes:
    named = os.environ.get("TELLTALE_CLIP")
    return form(field, [Path(named).read_bytes() if named else tone_in_noise()] * clips)


class ClipUser(FastHttpUser):  # type: ignore[misc]  # Locust is untyped here
    abstract = True
    network_timeout = connection_timeout = 60.0
    wait_time = constant(0)
    path, field, clips = "/predict", "file", 1

    @task
    def send(self) -> None:
        self.ask(self.path, data=body(self.field, self.clips))

    def ask(self, path: str, fine: tuple[int, ...] = (), **content: Any) -> None:
        """`fine` are statuses that are no failure either."""
        headers = {} if "json" in content else {"Content-Type": FORM_TYPE}
        if key := os.environ.get("TELLTALE_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        pause_s = 0.0
        with self.client.post(path, headers=headers, catch_response=True, **content) as reply:
            if reply.status_code == 429 and "retry-after" in reply.headers:
                reply.request_meta["name"] = REFUSED
                reply.success()
                pause_s = min(float(reply.headers["retry-after"]), LONGEST_PAUSE_S)
            elif reply.status_code in fine:
                reply.success()
        time.sleep(pause_s)  # gevent's: only this user waits


class NormalUser(ClipUser):  # sends a clip now and then
    weight = 8

    def wait_time(self) -> float:
        low, high = os.environ.get("TELLTALE_THINK_S", "0.5,2").split(",")
        return random.uniform(float(low), float(high))


class PowerUser(ClipUser):  # sends the next clip as soon as the last is answered
    weight = 2


class StressUser(ClipUser):  # sends forms with many clips, one after another
    weight = 1
    path, field, clips = "/batch-predict", "files", 8
