"""What a request costs a node's threads, and the node: what `queueing.py` simulates."""

from dataclasses import dataclass


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
