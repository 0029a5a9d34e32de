"""What must hold for a run to pass; the exit code is theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.scaling.lag import Change
from loadtest.scaling.record import Summary


@dataclass(frozen=True)
class Check:
    what: str
    limit: str
    seen: str
    passed: bool


def checks(
    limits: Mapping[str, float], overall: Summary, changes: Sequence[Change], refused_fail: bool
) -> list[Check]:
    """One for each limit that is set: max_failed, max_p95_ms, max_scale_up_s. Nothing failed
    either where nothing was asked, so answers are wanted in any case."""
    found = [Check("requests answered", "> 0", str(overall.answered), overall.answered > 0)]
    if (limit := limits.get("max_failed")) is not None:
        what = "requests failed or refused" if refused_fail else "requests failed"
        number = overall.failed + (overall.refused if refused_fail else 0)
        found.append(Check(what, f"≤ {limit:.0f}", str(number), number <= limit))
    if (limit := limits.get("max_p95_ms")) is not None:
        p95 = float("inf") if overall.p95_ms is None else overall.p95_ms
        seen = "nothing answered" if overall.p95_ms is None else f"{p95:.0f} ms"
        found.append(Check("p95 latency", f"≤ {limit:.0f} ms", seen, p95 <= limit))
    if (limit := limits.get("max_scale_up_s")) is not None:
        found += [_scale_up(limit, changes), _back(changes)]
    return found


def _scale_up(limit: float, changes: Sequence[Change]) -> Check:
    ups = [change.running_s for change in changes if change.up]
    if not ups:
        return Check("scale-up", f"≤ {limit:g} s", "no replica was added", False)
    worst = max((seconds for seconds in ups if seconds is not None), default=float("inf"))
    what = "step in load to all new replicas running"
    return Check(what, f"≤ {limit:g} s", f"{worst:.1f} s", worst <= limit)


def _back(changes: Sequence[Change]) -> Check:
    first, last = (changes[0].replicas_before, changes[-1].replicas) if changes else (0, 0)
    what = "replicas at the end, as at the beginning"
    return Check(what, str(first), str(last), bool(last) and first == last)
