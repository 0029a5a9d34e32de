"""Locust with steps in the load and a record of every answer; `loadtest.scaling` runs it.

Not in loadtest/locustfile.py, because a shape in a locustfile takes -u and -t away from
everybody who uses it.
"""

import json
import time
from argparse import ArgumentParser
from pathlib import Path

import gevent
from locust import LoadTestShape, events
from locust.env import Environment

from loadtest.clip import REFUSED
from loadtest.locustfile import NormalUser, PowerUser, StressUser
from loadtest.scaling.presets import parse_steps

__all__ = ["NormalUser", "PowerUser", "StepShape", "StressUser"]  # Locust picks them up from here


@events.init_command_line_parser.add_listener
def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--steps", required=True, help="USERSxSECONDS[@USERS_PER_SECOND],...")
    parser.add_argument("--record", required=True, help="file for what the users got")


class StepShape(LoadTestShape):  # type: ignore[misc]
    def tick(self) -> tuple[int, float] | None:
        environment, elapsed_s = self.runner.environment, self.get_run_time()
        for step in parse_steps(environment.parsed_options.steps):
            elapsed_s -= step.seconds
            if elapsed_s < 0:
                if step.users != self.runner.target_user_count:
                    environment.write(wanted=step.users)
                return step.users, step.spawn_rate
        return None


@events.init.add_listener
def record(environment: Environment, **_: object) -> None:
    path = Path(environment.parsed_options.record)
    file = path.open("w", encoding="utf-8", buffering=1)

    def write(**facts: object) -> None:
        file.write(f"{json.dumps({'at': round(time.time(), 3), **facts})}\n")

    def saw(name: str, response_time: float, exception: object, **_: object) -> None:
        cause = "" if exception is None else str(exception)[:120] or type(exception).__name__
        write(ms=round(response_time, 1), refused=name == REFUSED, cause=cause)

    def watch() -> None:
        while True:
            write(there=environment.runner.user_count)
            gevent.sleep(1)

    environment.write = write
    environment.events.request.add_listener(saw)
    environment.events.test_start.add_listener(lambda **_: gevent.spawn(watch))
    environment.events.quitting.add_listener(lambda **_: write(there=0))
