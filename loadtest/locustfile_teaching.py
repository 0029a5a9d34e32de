"""Users who also correct, upload and have the service learn, by an admin's key: noise.

TELLTALE_KEY=... locust -f loadtest/locustfile_teaching.py --host http://127.0.0.1:8000
"""

import random
from typing import Any

from locust import task

from loadtest.clip import form, tone_in_noise
from loadtest.locustfile import NormalUser

__all__ = ["NormalUser", "TeachingUser"]  # Locust picks them up from here


class TeachingUser(NormalUser):
    weight = 1

    def on_start(self) -> None:
        self.labels = list(self.client.get("/model-info").json()["card"]["labels"])

    @task(4)
    def correct(self) -> None:
        self.ask("/feedback", **self.example("file", "label"))

    @task(2)
    def upload(self) -> None:
        self.ask("/upload", **self.example("files", "labels", clips=4))

    @task
    def learn(self) -> None:
        self.ask("/retrain", fine=(409,), json={"mode": "teach", "reason": "a load test"})

    def example(self, files: str, label: str, clips: int = 1) -> dict[str, Any]:
        """A form of clips that nobody has sent yet."""
        found = [tone_in_noise(1, seed=random.getrandbits(64)) for _ in range(clips)]
        return {"data": form(files, found, {label: random.choices(self.labels, k=clips)})}
