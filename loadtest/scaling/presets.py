"""Steps in the load, and the scenarios that have a name (presets.yaml)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from data.errors import InvalidParameter
from loadtest.report import Rows

STEP = re.compile(r"(\d+)x(\d+)(?:@(\d+))?")
SYNTAX = "steps read USERSxSECONDS[@USERS_PER_SECOND],..., for example 6x10,20x25,6x45"


@dataclass(frozen=True)
class Step:
    users: int
    seconds: int
    spawn_rate: float  # of them come or go each second


def parse_steps(text: str) -> tuple[Step, ...]:
    """Raises InvalidParameter for text that is no list of steps."""
    steps: list[Step] = []
    before = 0
    for part in text.replace(" ", "").split(","):
        found = STEP.fullmatch(part)
        if not found or "0" in (found[1], found[2], found[3]):
            raise InvalidParameter(f"{part!r} is no step; {SYNTAX}")
        users, seconds = int(found[1]), int(found[2])
        steps.append(Step(users, seconds, float(found[3] or max(users, before))))
        before = users
    return tuple(steps)


@dataclass(frozen=True)
class Preset:
    title: str
    steps: str
    user: str  # a class of loadtest/locustfile.py
    think_s: tuple[float, float] = (0.5, 2)  # the pauses of a normal one
    refused_fail: bool = False  # whether a refusal counts as a failure
    replicas: tuple[int, ...] = ()  # fixed sizes that are loaded as well, by users without pauses
    fixed: str = "64x12"  # the load on those
    retrain_after_s: float = 0  # from the start of Locust to the order of a full retrain; 0: none
    claims: Rows = ()  # that others publish
    source: str = ""
    note: str = ""  # what of them can be compared, and what not
    limits: Mapping[str, float] = field(default_factory=lambda: {"max_failed": 0})

    @property
    def seconds(self) -> int:
        return sum(step.seconds for step in parse_steps(self.steps))


def presets() -> dict[str, Preset]:
    written = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {name: Preset(**values) for name, values in written.items()}
