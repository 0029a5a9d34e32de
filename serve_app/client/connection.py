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

    def __init__(
        self, detail: str, status: int = 0, request_id: str = "", retry_after_s: float = 0.0
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s


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
    patient: bool = True  # waits when the service is busy, rather than to raise at once

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | list[tuple[str, tuple[str, bytes]]] | None = None,
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
            busy = response.status_code == 429
            if not _may_repeat(response, repeatable) or (busy and not self.patient):
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
    status, headers = response.status_code, response.headers
    detail = problem.get("detail") or problem.get("title") or _unworded(status)
    asked = headers.get("retry-after", "")
    wait_s = float(asked) if asked.isdigit() else 0.0
    raise ServiceError(str(detail), status, headers.get("x-request-id", ""), wait_s)


def backoff_s(attempt: int) -> float:
    return min(0.1 * 2.0**attempt, LONGEST_WAIT_S)


def _problem(response: httpx.Response) -> dict[str, object]:
    """The problem+json body, or nothing where a proxy in between answered in its own way."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _unworded(status: int) -> str:
    """Of an answer that is not the service's own but of a proxy in front of it."""
    words = "the service cannot answer right now" if status >= 500 else "the service refuses this"
    return f"{words} (HTTP {status})"


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
