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
    """One for each limit that is set: max_failed, max_p95_ms, max_scale_up_s."""
    found = [_answered(overall)]
    if "max_failed" in limits:
        found.append(_failed(limits["max_failed"], overall, refused_fail))
    if "max_p95_ms" in limits:
        found.append(_p95(limits["max_p95_ms"], overall))
    if "max_scale_up_s" in limits:
        found += [_scale_up(limits["max_scale_up_s"], changes), _back(changes)]
    return found


def _answered(overall: Summary) -> Check:
    """Nothing failed either where nothing was asked."""
    return Check("requests answered", "> 0", str(overall.answered), overall.answered > 0)


def _failed(limit: float, overall: Summary, refused_fail: bool) -> Check:
    number = overall.failed + (overall.refused if refused_fail else 0)
    what = "requests failed or refused" if refused_fail else "requests failed"
    return Check(what, f"≤ {limit:.0f}", str(number), number <= limit)


def _p95(limit: float, overall: Summary) -> Check:
    seen = overall.p95_ms
    words = "nothing answered" if seen is None else f"{seen:.0f} ms"
    return Check("p95 latency", f"≤ {limit:.0f} ms", words, seen is not None and seen <= limit)


def _scale_up(limit: float, changes: Sequence[Change]) -> Check:
    slowest = [change.running_s for change in changes if change.up]
    if not slowest:
        return Check("scale-up", f"≤ {limit:g} s", "no replica was added", False)
    known = [seconds for seconds in slowest if seconds is not None]
    worst = max(known) if known else float("inf")
    return Check(
        "step in load to all new replicas running",
        f"≤ {limit:g} s",
        f"{worst:.1f} s",
        worst <= limit,
    )


def _back(changes: Sequence[Change]) -> Check:
    first, last = (changes[0].replicas_before, changes[-1].replicas) if changes else (0, 0)
    return Check(
        "replicas at the end, as at the beginning",
        str(first),
        str(last),
        bool(last) and first == last,
    )
