"""A second service beside the first: neither may ever answer for the other, or keep its clips."""

import signal
import time

from loadtest.chaos.audit import audited
from loadtest.chaos.clients import clients
from loadtest.chaos.effect import Effect, Subject
from loadtest.chaos.kills import send, whole
from loadtest.chaos.service import serving

DOMAINS = ("faults", "keywords")
APART = 20  # ports
MIX_S = 10.0


def beside(subject: Subject) -> Effect:
    """Each in turn loses all its replicas while both have clients; Serve's fallback answers then,
    and must know whose it is."""
    service = subject.service
    domain = next(name for name in DOMAINS if name != service.domain)
    folder = service.folder / "neighbour"
    home = folder / "home"
    home.mkdir(parents=True)
    with serving(folder, home, service.port + APART, domain, 1) as other:
        with clients(other, other.labels()) as ledger:
            for one in (service, other):
                send(one.victims("replica"), signal.SIGKILL)
                time.sleep(MIX_S)
        other.end()
        audit = audited(home, ledger, {})
    foreign = sum(sent.kind == "foreign" for sent in ledger.requests)
    found = {
        "foreign answers": foreign,
        "foreign clips in the store": len(audit.foreign),
        "acknowledged clips lost": len(audit.lost),
    }
    broken = tuple(
        f"at the second service, {count} {what}" for what, count in found.items() if count
    )
    notes = (f"the second service kept {audit.kept} clips of {len(ledger.requests)} requests",)
    return Effect(lambda: whole(service), notes, broken)
