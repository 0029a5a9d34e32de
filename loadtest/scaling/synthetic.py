"""A replica whose network waits: what an accelerator somewhere else would look like from here.

Two cores cannot show that three replicas answer three times as much as one while each of them
needs a core. Here they wait, so they can; all else is the real thing, the network itself too.
`loadtest.scaling --synthetic` deploys it, and labels whatever comes out.
"""

import time
from functools import partial
from typing import Any

from ray.serve import Application

from serve_app.app import bound
from serve_app.domain_service import DomainService
from serve_app.replica.scoring import Item, ScoredOrError
from serve_app.replica_process import ReplicaProcess


class WaitingService(DomainService):
    def __init__(self, name: str, *, wait_s: float) -> None:
        super().__init__(name)
        self._wait_s = wait_s

    def answer_batch(self, items: list[Item]) -> list[ScoredOrError]:
        time.sleep(self._wait_s)
        return super().answer_batch(items)


class WaitingReplica(ReplicaProcess):
    async def __init__(self, name: str, wait_s: float) -> None:  # type: ignore[misc]  # Serve awaits it
        self.service = partial(WaitingService, wait_s=wait_s)
        await super().__init__(name)


def domain(args: dict[str, Any]) -> Application:
    """`wait_s` seconds before each batch; the rest as serve_app/app.py builds it."""
    return bound(WaitingReplica, args["domain"], float(args["wait_s"]))
