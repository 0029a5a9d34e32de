"""How long answers took, as counts in classes that are the same on every replica: counts of many
replicas and moments can be added, and the quantiles of the sum are known to a few percent."""

from bisect import bisect

import numpy as np

from data.arrays import Integers

FIRST_S, CLASSES_AN_OCTAVE, OCTAVES = 0.0005, 4, 17
# The upper ends of all classes but the last, which is open: up to a minute.
ENDS_S = [FIRST_S * 2 ** (n / CLASSES_AN_OCTAVE) for n in range(CLASSES_AN_OCTAVE * OCTAVES + 1)]


class Latencies:
    """Grows for as long as the replica lives; 0.3 microseconds for each answer."""

    def __init__(self) -> None:
        self.counts = [0] * (len(ENDS_S) + 1)

    def add(self, seconds: float) -> None:
        self.counts[bisect(ENDS_S, seconds)] += 1


def quantile_ms(counts: Integers, share: float) -> float | None:
    """Of counts [classes]: the time within which so great a share was answered; None of nothing."""
    ends = counts.cumsum()
    if not ends[-1]:
        return None
    wanted = share * ends[-1]
    place = int(np.searchsorted(ends, wanted))
    low = ENDS_S[place - 1] if place else 0.0
    high = ENDS_S[place] if place < len(ENDS_S) else low
    within = (wanted - (ends[place] - counts[place])) / counts[place]
    return round(float(low + within * (high - low)) * 1e3, 2)
