"""Locust with steps in the load and a record of every answer; `loadtest.scaling` runs it.

    locust -f loadtest/scaling/steps.py --headless --host http://127.0.0.1:8000 \
        --steps 6x10,20x25,6x45 --record record.jsonl PowerUser

Not in loadtest/locustfile.py, because a shape in a locustfile takes -u and -t away from
everybody who uses it.
"""

import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import TextIO

from locust import LoadTestShape, events
from locust.env import Environment

from loadtest.locustfile import NormalUser, PowerUser, StressUser
from loadtest.scaling.presets import parse_steps
from loadtest.scaling.record import Begun, Tally, as_line

__all__ = ["NormalUser", "PowerUser", "StepShape", "StressUser"]  # Locust picks them up from here

EVERY_S = 1.0


@events.init_command_line_parser.add_listener
def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--steps", required=True, help="USERSxSECONDS[@USERS_PER_SECOND],...")
    parser.add_argument("--record", required=True, help="file for what the users got")


class StepShape(LoadTestShape):  # type: ignore[misc]
    def tick(self) -> tuple[int, float] | None:
        elapsed_s = self.get_run_time()
        for step in parse_steps(self.runner.environment.parsed_options.steps):
            elapsed_s -= step.seconds
            if elapsed_s < 0:
                return step.users, step.spawn_rate
        return None


@events.init.add_listener
def start_recording(environment: Environment, **_: object) -> None:
    path = Path(environment.parsed_options.record)
    file = path.open("w", encoding="utf-8", buffering=1)
    # A greenlet, since Locust has patched threads by now.
    threading.Thread(target=_keep, args=(environment, file), daemon=True).start()


def _keep(environment: Environment, file: TextIO) -> None:
    tally = Tally()
    environment.events.request.add_listener(
        lambda name, response_time, exception, **_: tally.saw(name, response_time, exception)
    )
    wanted, begun = None, time.time()

    def write_second() -> None:
        nonlocal begun
        now = time.time()
        file.write(as_line(tally.take(begun, now - begun, environment.runner.user_count)))
        begun = now

    environment.events.quitting.add_listener(lambda **_: write_second())
    while True:
        time.sleep(0.05)
        asked = environment.runner.target_user_count if environment.runner else None
        if asked != wanted and asked:
            file.write(as_line(Begun(round(time.time(), 3), asked)))
            wanted = asked
        if time.time() - begun >= EVERY_S:
            write_second()
