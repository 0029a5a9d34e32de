"""The end of a run: however it comes, the run's row says so, and nothing is left behind.

While it trains a run keeps decoded clips and checkpoints beside its home, in folders called by run
and plan. They outlive a killed driver, so that the run can be started again, and nothing else:
whoever asks us to forget a clip need not look for its waveform.
"""

import re
import shutil
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event
from types import FrameType
from typing import Any

from data.database.schema import RunState
from data.errors import TelltaleError, UnknownName
from data.home import Home
from data.store.store import Store
from training.job.run_progress import Progress

NAME = re.compile(r"(?P<run>.+)-[0-9a-f]{8}(\.clips(\.[0-9a-f]{32})?)?")
STOPPED = Event()
CANCELLED = "The run was cancelled; the champion stays."


def attempt(progress: Progress, home: Home, work: Callable[[], dict[str, Any]]) -> int:
    """However it ends, the run's row says so, in words for people; 0 if it says succeeded."""
    try:
        progress.finished("succeeded", work())
    except TelltaleError as error:
        _end(progress, "failed", f"The run failed: {error}")
    except (KeyboardInterrupt, SystemExit):
        _end(progress, "cancelled", CANCELLED)
    except Exception:
        if STOPPED.is_set():  # Ray may turn the signal's exception into one of its own
            _end(progress, "cancelled", CANCELLED)
        else:
            traceback.print_exc()
            _end(progress, "failed", "The run failed by a mistake of ours; its log says where.")
    discard(home, progress.run_id)
    return _exit_code(progress)


def defer_sigterm() -> None:
    """The service stops a job by SIGTERM, as everybody does. Before the run has a row to write
    it into, a stop is only noted."""
    signal.signal(signal.SIGTERM, _note_sigterm)


def exit_on_sigterm() -> None:
    """From now on a stop ends the work at once, and one that was noted ends it here."""
    signal.signal(signal.SIGTERM, _stop)
    if STOPPED.is_set():
        raise SystemExit(1)


def _note_sigterm(_signal: int, _frame: FrameType | None) -> None:
    STOPPED.set()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    STOPPED.set()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the tidying up
    raise SystemExit(1)


def _end(progress: Progress, state: RunState, message: str) -> None:
    try:
        progress.finished(state, {"message": message})
    except TelltaleError:  # closed by the service already, or the database is away
        progress.say(message)


def _exit_code(progress: Progress) -> int:
    with suppress(TelltaleError):
        return 0 if progress.store.runs.get(progress.run_id).state == "succeeded" else 1
    return 1


def folder_name(run_id: str, plan_digest: str) -> str:
    return f"{run_id}-{plan_digest[:8]}"


def discard(home: Home, run_id: str) -> None:
    for remove, owner in _folders(home):
        if owner == run_id:
            remove()


def sweep(home: Home, store: Store) -> None:
    """Of runs that somebody else has closed: the service, after a driver was killed."""
    for remove, owner in _folders(home):
        try:
            finished = store.runs.get(owner).finished_at is not None
        except UnknownName:
            continue
        if finished:
            remove()


def _folders(home: Home) -> list[tuple[Callable[[], object], str]]:
    """What removes it, and whose it is."""
    found: list[tuple[Callable[[], object], str]] = [
        (partial(shutil.rmtree, folder, ignore_errors=True), folder.name)
        for folder in home.runs.glob("*")
    ]
    if home.checkpoints != str(home.runs):
        found += _in_bucket(home.checkpoints)
    named = [(remove, NAME.fullmatch(name)) for remove, name in found]
    return [(remove, match["run"]) for remove, match in named if match]


def _in_bucket(uri: str) -> list[tuple[Callable[[], object], str]]:
    """None where it cannot be reached: the next run looks again."""
    from pyarrow.fs import FileSelector, FileSystem

    with suppress(OSError):
        filesystem, root = FileSystem.from_uri(uri)
        listed = filesystem.get_file_info(FileSelector(root, allow_not_found=True))
        return [(partial(_remove, filesystem, one.path), one.base_name) for one in listed]
    return []


def _remove(filesystem: Any, path: str) -> None:
    with suppress(OSError):
        filesystem.delete_dir(path)
