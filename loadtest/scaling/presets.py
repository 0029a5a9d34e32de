"""Steps in the load, and the scenarios that have a name, with what others publish about theirs.

Published figures are quoted as their authors give them, from other machines and other models:
they say what a scenario is usually content with, not who is faster. None of them is ours.
"""

import re
from dataclasses import dataclass, field

from data.errors import InvalidParameter

STEP = re.compile(r"(\d+)x(\d+)(?:@(\d+))?")
SYNTAX = "steps read USERSxSECONDS[@USERS_PER_SECOND],..., for example 6x10,20x25,6x45"


@dataclass(frozen=True)
class Step:
    """`users` for `seconds`; `spawn_rate` of them come or go each second, at once by default."""

    users: int
    seconds: int
    spawn_rate: float

    def __str__(self) -> str:
        rate = "" if self.spawn_rate == self.users else f"@{self.spawn_rate:.0f}"
        return f"{self.users}x{self.seconds}{rate}"


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
class Claim:
    """One published row; None where the source gives no such figure."""

    users: int
    replicas: int | None
    req_s: float | None
    p95_ms: float | None
    failed_percent: str


@dataclass(frozen=True)
class Preset:
    title: str
    steps: str
    user: str
    think_s: tuple[float, float] = (0.5, 2)
    refused_fail: bool = False
    claims: tuple[Claim, ...] = ()
    source: str = ""
    limits: dict[str, float] = field(default_factory=dict)


PRESETS = {
    "step": Preset(
        "few users, then many, then few: one replica, three, one",
        steps="6x10,20x25,6x45",
        user="PowerUser",
        limits={"max_failed": 0, "max_scale_up_s": 6},
    ),
    "smoke": Preset(
        "a quarter of a minute, to see that everything reports",
        steps="1x4,4x7,1x4",
        user="PowerUser",
        limits={"max_failed": 0},
    ),
    "hotline": Preset(
        "20 users for 30 seconds, as a fault hotline was tested",
        steps="20x30@5",
        user="NormalUser",
        refused_fail=True,
        claims=(Claim(20, 1, 15.8, 35, "0"),),
        source="FaultSense, reports/locust/faultsense_stats.csv and README, "
        "github.com/honorine22/ml-individual-summative",
        limits={"max_failed": 0, "max_p95_ms": 35},
    ),
    "hearts": Preset(
        "10, 50 and 100 users, as a heart sound classifier was tested",
        steps="10x20@10,50x20@10,100x20@10",
        user="NormalUser",
        think_s=(1, 3),
        claims=(
            Claim(10, 1, 8.5, 180, "0"),
            Claim(50, 1, 35, 780, "0"),
            Claim(100, 1, 55, 2100, "2"),
            Claim(10, 3, 9.2, 160, "0"),
            Claim(50, 3, 42, 520, "0"),
            Claim(100, 3, 78, 1100, "0"),
        ),
        source="HeartBeat AI, README, github.com/RELEBOHILE-PHEKO/cardiac-sound-classifier",
        limits={"max_failed": 0},
    ),
    "crowd": Preset(
        "10, 100, 500 and 1000 users, as a wildlife monitor was tested",
        steps="10x15@2,100x30@10,500x30@50,1000x30@100",
        user="NormalUser",
        think_s=(1, 3),
        claims=(
            Claim(100, 1, 50, 800, "< 1"),
            Claim(100, 3, 150, 350, "< 0.5"),
            Claim(100, 5, 250, 250, "< 0.1"),
        ),
        source="EcoSight, README, 'expected results' of 1, 3 and 5 containers with 100 users, "
        "github.com/mhizhas/ECOSIGHT; nothing is published for 10, 500 and 1000 users",
    ),
}
