"""latencies.py: quantiles of what several replicas have counted."""

import numpy as np
import pytest

from serve_app.replica.latencies import Latencies, quantile_ms


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_quantiles_of_two_replicas_together_are_right_to_a_few_percent(share: float) -> None:
    times_s = np.random.default_rng(3).lognormal(np.log(0.02), 0.8, 4000)
    replicas = Latencies(), Latencies()
    for number, seconds in enumerate(times_s):
        replicas[number % 2].add(float(seconds))
    counts = sum((np.array(one.counts) for one in replicas), np.zeros(1, np.int64))
    found = quantile_ms(counts, share)
    assert found == pytest.approx(1e3 * np.quantile(times_s, share), rel=0.05)


def test_of_nothing_there_is_no_quantile_and_a_time_beyond_all_classes_is_one() -> None:
    counted = Latencies()
    assert quantile_ms(np.array(counted.counts), 0.5) is None
    counted.add(1e6)
    assert quantile_ms(np.array(counted.counts), 0.5) == pytest.approx(65_536)
