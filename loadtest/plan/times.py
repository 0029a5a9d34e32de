"""What a request costs a node's threads: what the simulation needs, as a file and in words."""

from dataclasses import asdict, dataclass
from json import JSONDecodeError, loads
from pathlib import Path

from loadtest.tables import write_json


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
    limit: int = 1_000_000  # requests at one replica; one more is refused
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
        return Node(replicas, self.cores, self.max_batch, idle_cores=self.idle_cores)


def write(times: Times, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(times))


def read(path: Path) -> Times:
    """Raises ValueError for a file that holds no service times."""
    try:
        fields = loads(path.read_text(encoding="utf-8"))
        costs = dict(fields.pop("costs"))
        costs |= {name: Cost(**costs[name]) for name in ("worker", "loop", "proxy", "client")}
        costs["spread"] = tuple(costs["spread"])
        return Times(costs=Costs(**costs), **fields)
    except (KeyError, TypeError, AttributeError, JSONDecodeError) as error:
        raise ValueError(
            f"{path} holds no service times ({error}); write it with "
            "python -m loadtest.plan.service_times"
        ) from None


def in_words(times: Times) -> str:
    costs = times.costs
    threads = {"event loop": costs.loop, "HAProxy": costs.proxy, "client": costs.client}
    return "\n".join(
        [
            f"worker     {costs.worker.warm_ms:6.2f} ms a clip alone, each more of a batch "
            f"{costs.each:.2f} of that; after idleness {costs.worker.cold_ms:.2f} ms",
            *(
                f"{name:10} {cost.warm_ms:6.2f} ms; after idleness {cost.cold_ms:.2f} ms"
                for name, cost in threads.items()
            ),
            f"beside     {costs.other_ms:6.2f} ms; the idle service {times.idle_cores:.2f} cores",
            f"a replica's two threads get {costs.overlap:.2f} cores together",
            f"one replica carries {times.capacity_rps:.0f} requests/s; a lone client waits "
            f"{times.lone_p50_ms:.1f} ms, of which {costs.delay_ms:.2f} ms is no CPU",
        ]
    )
