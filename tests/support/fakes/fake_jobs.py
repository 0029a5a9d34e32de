"""Ray's jobs without Ray, for what orders and follows them."""

import time
from collections.abc import Sequence

from serve_app.control.ray_jobs import JobState


class Jobs:
    """Ray's job list as a dictionary; submitting takes `slow` seconds."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.options: list[str] = []
        self.expected = 0  # how often a teach was
        self.jobs: dict[str, tuple[int, JobState]] = {}

    def submit(
        self, run_id: str, domain: str, mode: str, attempt: int = 1, options: Sequence[str] = ()
    ) -> None:
        time.sleep(self.slow)
        self.options = list(options)
        self.jobs[run_id] = (attempt, "alive")

    def stand_by(self) -> None:
        self.expected += 1

    def stop(self, run_id: str) -> None:
        self.jobs[run_id] = (self.state(run_id)[0], "ended")

    def state(self, run_id: str) -> tuple[int, JobState]:
        return self.jobs.get(run_id, (0, "unknown"))
