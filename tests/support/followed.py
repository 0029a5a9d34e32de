"""A small recorded run, one replica to three and back: what the load test's tests are told."""

from loadtest.report import Row
from loadtest.scaling.locust_run import LocustRun, Sample

START = 1_000.0  # seconds since the epoch


def states_at(second: float) -> dict[str, int]:
    """Steps come at 10 s (2 -> 24 users) and at 30 s (24 -> 2)."""
    if second < 11:
        return {"RUNNING": 1}
    if second < 13:
        return {"RUNNING": 1, "STARTING": 2}
    if second < 14:
        return {"RUNNING": 2, "STARTING": 1}
    if second < 36:
        return {"RUNNING": 3}
    if second < 39:
        return {"RUNNING": 1, "STOPPING": 2}
    return {"RUNNING": 1}


def sample_at(second: float) -> Sample:
    names = ["a", "b", "c"] if 11 <= second < 39 else ["a"]
    ran = {"a": 0.0, "b": 13.0, "c": 14.0}
    replicas: dict[str, Row] = {}
    for name in names:
        since = second - ran[name]
        told = {"queued": 2, "answered": int(since) * 32, "batches": int(since) * 4}
        replicas[name] = {
            "state": "RUNNING" if since >= 0 else "STARTING",
            "version": "3",
            "start_time_s": START + 10.5 if name != "a" else START - 20,
            **(told if since >= 0 else {}),
        }
    return Sample(START + second, states_at(second), replicas, {"replica": second / 2})


def run() -> LocustRun:
    answers = [answer(second, ms) for second in range(45) for ms in (20.0, 30.0, 260.0)]
    answers += [answer(12, 1.0, refused=True), answer(20, 1.0, cause="503")]
    users = ((0, 2), (10, 24), (30, 2))
    record: dict[str, list[Row]] = {
        "ms": answers,
        "there": [{"at": START + n, "there": 24 if 10 <= n < 30 else 2} for n in range(46)],
        "wanted": [{"at": START + second, "wanted": wanted} for second, wanted in users],
    }
    return LocustRun(record, [sample_at(n / 2) for n in range(90)])


def answer(second: float, ms: float, refused: bool = False, cause: str = "") -> Row:
    return {"at": START + second, "ms": ms, "refused": refused, "cause": cause}
