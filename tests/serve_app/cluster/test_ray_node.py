"""What Ray's processes, and so the replicas, inherit from the one that starts a node."""

import resource
from collections.abc import Iterator

import pytest

from serve_app.cluster import ray_node
from serve_app.cluster.haproxy.haproxy import connections

FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def few_files() -> Iterator[int]:
    """A shell's usual limit; gives how many files the system would allow."""
    before = resource.getrlimit(FILES)
    resource.setrlimit(FILES, (1024, before[1]))
    yield before[1]
    resource.setrlimit(FILES, before)


def test_replicas_may_open_as_many_files_as_callers_may_make_them(
    few_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inherited: list[int] = []

    class Node:
        def __init__(self, **_: object) -> None:
            inherited.append(resource.getrlimit(FILES)[0])

        def stop(self) -> None: ...

    monkeypatch.setattr(ray_node, "RayNode", Node)
    before = connections()
    with ray_node.ray_node(head=True):
        wanted = ray_node.FILES
        assert inherited == [
            wanted if few_files == resource.RLIM_INFINITY else min(few_files, wanted)
        ]
        assert connections() == before, "of HAProxy, which takes what the system allows anyway"
