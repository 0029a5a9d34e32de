"""The service times that were measured: all that the simulation needs, as a file and in words."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.plan.costs import Cost, Costs, Node


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
    path.write_text(json.dumps(asdict(times), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Times:
    """Raises ValueError for a file that holds no service times."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        costs = dict(rows.pop("costs"))
        for name in ("worker", "loop", "proxy", "client"):
            costs[name] = Cost(**costs[name])
        costs["spread"] = tuple(costs["spread"])
        return Times(costs=Costs(**costs), **rows)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} holds no service times ({error}); write it with "
            "python -m loadtest.plan.service_times"
        ) from None


def in_words(times: Times) -> str:
    costs = times.costs
    lines = [
        f"worker     {costs.worker.warm_ms:6.2f} ms a clip alone, each more of a batch "
        f"{costs.each:.2f} of that; after idleness {costs.worker.cold_ms:.2f} ms",
        *(
            f"{name:10} {cost.warm_ms:6.2f} ms; after idleness {cost.cold_ms:.2f} ms"
            for name, cost in (
                ("event loop", costs.loop),
                ("HAProxy", costs.proxy),
                ("client", costs.client),
            )
        ),
        f"beside     {costs.other_ms:6.2f} ms; the idle service {times.idle_cores:.2f} cores",
        f"a replica's two threads get {costs.overlap:.2f} cores together",
        f"one replica carries {times.capacity_rps:.0f} requests/s; a lone client waits "
        f"{times.lone_p50_ms:.1f} ms, of which {costs.delay_ms:.2f} ms is no CPU",
    ]
    return "\n".join(lines)
