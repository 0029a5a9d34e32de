"""What a disturbance is: something done to a service, and a question whether it has got over it."""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.chaos.clients import Ledger
from loadtest.chaos.service import Service


class Skipped(Exception):
    """It cannot be done here; the message says why."""


@dataclass(frozen=True)
class Subject:
    service: Service
    ledger: Ledger  # of the clients that are at work


@dataclass(frozen=True)
class Effect:
    """Of what has been done: `back` answers at once whether all is as before, and raises NotReady
    where it never will be; `notes` are figures for people, `broken` what was seen that must not
    be."""

    back: Callable[[], bool]
    notes: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


Deed = Callable[[Subject], Effect]  # returns when the disturbance is over


@dataclass(frozen=True)
class Disturbance:
    """`bar_s`: from its end until `back`, at most; `p99_ms`: of other clients' predictions while
    it goes on, at most."""

    name: str
    what: str
    do: Deed
    bar_s: float
    p99_ms: float | None = None
    quick: bool = False
