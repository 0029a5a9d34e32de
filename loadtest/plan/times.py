"""What a request costs a node's threads: what the simulation needs, as a file and in words."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from loadtest.report import Table


@dataclass(frozen=True)
class Cost:
    """CPU ms: of work that follows work, and of work after `gap_ms` of idleness or more."""

    warm_ms: float = 0.0
    cold_ms: float = 0.0
    gap_ms: float = 30.0

    def after(self, idle_s: float) -> float:
        """Seconds of CPU; linear between the two."""
        share = min(1.0, idle_s * 1e3 / self.gap_ms)
        return (self.warm_ms + (self.cold_ms - self.warm_ms) * share) / 1e3


@dataclass(frozen=True)
class Costs:
    """What one request asks of each thread. The worker's is of a batch of one; a batch of n takes
    (1 - each + each * n) times that, times the mean of n draws from `spread` (mean 1)."""

    worker: Cost
    each: float = 1.0
    loop: Cost = Cost()
    proxy: Cost = Cost()
    client: Cost = Cost()
    other_ms: float = 0.0  # beside the request's way: the controller, Ray, the page
    delay_ms: float = 0.0  # no CPU: wake-ups and the wire
    overlap: float = 2.0  # cores that the two threads of one replica get together, 1 to 2
    spread: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Node:
    replicas: int
    cores: float
    max_batch: int = 4
    idle_cores: float = 0.0  # what the machine spends when nobody asks


@dataclass(frozen=True)
class Times:
    """Everything the simulation needs, and the runs it comes from in short."""

    costs: Costs
    cores: int
    max_batch: int
    idle_cores: float
    capacity_rps: float  # one replica, closed loops
    lone_p50_ms: float
    light_p50_ms: float
    strangers: float  # the most cores that others used during a run
    idle_by_role: dict[str, float]
    busy_ms_by_role: dict[str, float]

    def node(self, replicas: int) -> Node:
        return Node(replicas, self.cores, self.max_batch, self.idle_cores)


def read(path: Path) -> Times:
    """Raises ValueError for a file that holds no service times."""
    try:
        return TypeAdapter(Times).validate_json(path.read_bytes())
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise ValueError(
            f"{path} holds no service times ({what}); telltale plan leaves some in its --out"
        ) from None


def in_words(times: Times) -> str:
    costs = times.costs
    threads = {"event loop": costs.loop, "HAProxy": costs.proxy, "client": costs.client}
    rows = [
        {"of a request": name, "CPU ms": cost.warm_ms, "after idleness": cost.cold_ms}
        for name, cost in {"worker, a clip alone": costs.worker, **threads}.items()
    ]
    return f"""{Table("", [*rows, {"of a request": "beside it", "CPU ms": costs.other_ms}])}

Each more of a batch takes the worker {costs.each:.2f} of that; a replica's two threads get \
{costs.overlap:.2f} cores together, the idle service {times.idle_cores:.2f}. One replica carries \
{times.capacity_rps:.0f} requests/s; a lone client waits {times.lone_p50_ms:.1f} ms, of which \
{costs.delay_ms:.2f} ms is no CPU."""
