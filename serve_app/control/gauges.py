"""What stands at this moment, for /metrics: champions, replicas, the head's machine."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

from data.home import Home
from data.store.disk import home_disk
from serve_app.replica.series import Key, key

Gauges = dict[Key, float]


def of_domain(name: str, has_champion: bool, replicas: Sequence[Mapping[str, Any]]) -> Gauges:
    """`replicas` are what those that answer tell of themselves."""
    found = {
        key("telltale_champion", domain=name): float(has_champion),
        key("telltale_replicas", domain=name): float(len(replicas)),
    }
    for row in replicas:
        replica = str(row["replica"])
        queued = key("telltale_queued_clips", domain=name, replica=replica)
        found[queued] = row["queued"]
        if row["rss_mb"] is not None:
            resident = key("telltale_resident_bytes", domain=name, replica=replica)
            found[resident] = row["rss_mb"] * 1024**2
        if row["version"] is not None:
            served = {"version": row["version"], "digest": row["digest"][:12]}
            place = {"domain": name, "replica": replica, "node": row["node"]}
            found[key("telltale_model_info", **place, **served)] = 1
    return found


def of_host(home: Home) -> Gauges:
    """The CPUs since it was last asked. A disk in trouble is left out: the rest is still told."""
    memory, disk = psutil.virtual_memory(), None
    with suppress(OSError):
        disk = home_disk(home)
    found: Gauges = {
        key("telltale_host_cpu_ratio"): psutil.cpu_percent() / 100,
        key("telltale_host_memory_bytes", kind="total"): memory.total,
        key("telltale_host_memory_bytes", kind="available"): memory.available,
    }
    if disk is not None:
        found[key("telltale_disk_bytes", kind="total")] = disk.total_bytes
        found[key("telltale_disk_bytes", kind="free")] = disk.free_bytes
    return found
