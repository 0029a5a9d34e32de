"""gauges.py, and what the curator adds to it: what /metrics says of this moment."""

import asyncio
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.home import home_from_env
from serve_app.control import gauges
from serve_app.control.curator import Curator
from serve_app.control.history import History
from serve_app.replica.series import as_text, key

FAILED = key("telltale_swap_failures_total", domain="faults")


def test_a_disk_in_trouble_is_left_out_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_from_env({"TELLTALE_HOME": str(tmp_path)})
    free = key("telltale_disk_bytes", kind="free")
    assert free in gauges.of_host(home)

    def away(home: object) -> None:
        raise OSError("Stale file handle")

    monkeypatch.setattr(gauges, "home_disk", away)
    found = gauges.of_host(home)
    assert free not in found
    assert key("telltale_host_cpu_ratio") in found


@pytest.mark.parametrize(("by_replicas", "told"), [({}, 2), ({FAILED: 3.0}, 5)])
def test_a_champion_that_the_curator_cannot_fetch_is_a_failed_swap(
    tmp_path: Path, by_replicas: dict[Any, float], told: float
) -> None:
    history = History()
    history.counted = Counter(by_replicas)
    curator: Any = SimpleNamespace(
        _home=home_from_env({"TELLTALE_HOME": str(tmp_path)}),
        _histories={"faults": history},
        _successions={"faults": SimpleNamespace(champion=None, replicas=[], failures=2)},
        _outcomes=SimpleNamespace(retrains={}, quarantined={}),
        _quotas=SimpleNamespace(counted={}),
    )
    samples = asyncio.run(Curator.metrics(curator))["samples"]
    assert samples[FAILED] == told
    assert f'telltale_swap_failures_total{{domain="faults"}} {told}' in as_text(samples).decode()
