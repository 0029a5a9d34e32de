"""The service's clock moved while it serves, by libfaketime; the machine's own is left alone.

The monotonic clock must go on as it does when somebody sets the time: some versions of the library
then break Python's sleep, and those are of no use here.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from loadtest.chaos.effect import Effect, Skipped, Subject
from loadtest.chaos.kills import whole
from loadtest.chaos.service import LOOK_S, Service

SHIFTS = ("+3h", "-3h")
PATIENCE_S = 30.0
PROBE = "import time; time.sleep(0.01)"


def moved_clock(subject: Subject) -> Effect:
    """Started with the library for this, and afterwards without it."""
    service, clock = subject.service, subject.service.folder / "clock"
    clock.write_text("+0")
    settings = _preloaded(clock)
    service.end()
    service.start(**settings)
    service.wait_until_up()
    broken = [
        f"with the clock at {shift} it was not whole within {PATIENCE_S:g} s"
        for shift in SHIFTS
        if not _works_at(service, clock, shift)
    ]
    service.end()
    service.start()
    return Effect(lambda: whole(service) and service.up, broken=tuple(broken))


def _preloaded(clock: Path) -> dict[str, str]:
    """The environment in which a process has the clock of that file. Raises Skipped."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise Skipped("needs libfaketime, which is not installed")
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    probe = [sys.executable, "-c", PROBE]
    if subprocess.run(probe, env=os.environ | settings, capture_output=True).returncode:
        raise Skipped("the libfaketime here breaks Python's time.sleep")
    return settings


def _works_at(service: Service, clock: Path, shift: str) -> bool:
    clock.write_text(shift)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        if whole(service):
            return True
    return False
