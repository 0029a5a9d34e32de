"""Sends requests to the service, repeats what may be repeated, and words what failed.

Reads and predictions are repeated after a lost connection or a 502/503; anything is repeated
after a 429 (with the wait the service asks for) or when no connection came about at all.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

LONGEST_WAIT_S = 5.0


class ServiceError(Exception):
    """The service refused or failed. `status` is 0 when no answer came at all."""

    def __init__(self, detail: str, status: int = 0, request_id: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.request_id = request_id


class ServiceAway(ServiceError):
    """Nothing answers at the address; trying again later may help."""


def new_pool() -> httpx.Client:
    # Proxy variables of the environment are for the outside; the service is usually this machine.
    return httpx.Client(trust_env=False)


@dataclass(frozen=True)
class Connection:
    url: str
    key: str
    timeout_s: float = 60.0
    tries: int = 4
    pool: httpx.Client = field(default_factory=new_pool, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # of every request

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
        data: dict[str, str] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> httpx.Request:
        return self.pool.build_request(
            method,
            self.url.rstrip("/") + path,
            params=params,
            headers={**self.own_headers(), **(headers or {})},
            files=files,
            data=data,
            json=json,
            timeout=self.timeout_s,
        )

    def own_headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {**key, **dict(self.headers)}

    def send(self, request: httpx.Request, *, repeatable: bool = False) -> httpx.Response:
        """Raises ServiceError with the service's own sentence, ServiceAway when there is none."""
        for attempt in range(1, self.tries):
            try:
                response = self.pool.send(request)
            except httpx.TransportError as error:
                if not (repeatable or _never_sent(error)):
                    raise self.away(error) from error
                time.sleep(backoff_s(attempt))
                continue
            if not _may_repeat(response, repeatable):
                return checked(response)
            time.sleep(_asked_wait_s(response, attempt))
        try:
            return checked(self.pool.send(request))
        except httpx.TransportError as error:
            raise self.away(error) from error

    def away(self, error: httpx.TransportError) -> ServiceAway:
        return ServiceAway(f"{self.url} does not answer ({str(error) or type(error).__name__})")


def checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    problem = _problem(response)
    detail = problem.get("detail") or problem.get("title") or f"HTTP {response.status_code}"
    raise ServiceError(str(detail), response.status_code, response.headers.get("x-request-id", ""))


def backoff_s(attempt: int) -> float:
    return min(0.1 * 2.0**attempt, LONGEST_WAIT_S)


def _problem(response: httpx.Response) -> dict[str, object]:
    """The problem+json body, or nothing where a proxy in between answered in its own way."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _never_sent(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _may_repeat(response: httpx.Response, repeatable: bool) -> bool:
    """A 500 without a body of ours is from Serve's HAProxy; the service words its own."""
    status = response.status_code
    lost = status in {502, 503} or (status == 500 and not _problem(response))
    return status == 429 or (repeatable and lost)


def _asked_wait_s(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_WAIT_S) if asked.isdigit() else backoff_s(attempt)
