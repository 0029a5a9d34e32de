"""`ReplicaProcess`, what Serve starts: FastAPI ingress and batched inference in one process.

Of one domain; of several where they share a process (TELLTALE_SHARED_REPLICAS), each with routes, a
model and a thread of its own.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Any

from ray import serve

from data.free_memory import give_back_memory
from serve_app.cluster.ray_internals.inner_port import must_be_closed
from serve_app.cluster.ray_internals.message_limit import limit_messages
from serve_app.cluster.ray_internals.quiet_handles import keep_quiet
from serve_app.domain_service import DomainService
from serve_app.replica.champion_pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

NICE = 5  # behind HAProxy and the control plane, before training (10)


@serve.ingress()
class ReplicaProcess:
    """Also answers handle calls, each about one of its domains."""

    service: "Callable[[str], DomainService]" = DomainService

    async def __init__(self, first: str, *guests: str) -> None:  # type: ignore[misc]  # Serve awaits it
        must_be_closed()
        keep_quiet()
        os.nice(NICE)
        self._services = {name: self.service(name) for name in (first, *guests)}
        for service in self._services.values():
            service.beside = self._services
        await asyncio.gather(*(service.start() for service in self._services.values()))
        give_back_memory()  # 47 MB where five models were loaded

    def __serve_build_asgi_app__(self) -> "ASGIApp":
        from serve_app.http.api import build_api
        from serve_app.http.routes.stream_routes import MESSAGE_BYTES

        limit_messages(MESSAGE_BYTES)
        apps = {name: build_api(service) for name, service in self._services.items()}
        first, *others = apps.values()
        return ByDomain(apps) if others else first

    async def follow(self, domain: str, pointer: Pointer, purged: frozenset[str]) -> dict[str, Any]:
        return await self._services[domain].follow(pointer, purged)

    def report(self, domain: str) -> dict[str, Any]:
        return self._services[domain].report()

    def describe(self, domain: str) -> dict[str, Any]:
        return self._services[domain].describe()

    async def look_for_jobs(self, domain: str) -> None:
        await self._services[domain].look_for_jobs()


class ByDomain:
    """Several domains' routes behind one port: a path is that domain's whose name it begins with,
    or else the first one's."""

    def __init__(self, apps: "Mapping[str, ASGIApp]") -> None:
        self._apps = {f"/{name}/": app for name, app in apps.items()}
        self._first = next(iter(apps.values()))

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        path = scope.get("path", "")
        app = self._apps.get(path[: path.find("/", 1) + 1], self._first)
        await app(scope, receive, send)
