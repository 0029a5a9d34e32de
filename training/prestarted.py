"""A teach's process, started when the teach is ordered and not when Ray has started its job.

Ray takes a second and a half until a job's command runs, and that as long again to import what it
needs. So the service starts a process beside the job; it imports meanwhile, and waits at a socket.
The job's command, which imports nothing, hands its arguments and its output over, passes on the
signal to stop, and ends as the work ends; when it is killed, so is the work. Where no process
waits, the command does the work itself.

    python -m training.prestarted wait SOCKET                               the service
    python -m training.prestarted work SOCKET faults --mode teach --run ID  the job
"""

import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

PATIENCE_S = 60.0  # for Ray to start the job
TAKEN = b"\1"
MOST_BYTES = 100_000


def wait(path: Path) -> int:
    """Nothing waits longer than PATIENCE_S, and only one job is ever served."""
    with _socket() as listener:
        listener.settimeout(PATIENCE_S)
        listener.bind(str(path))
        try:
            listener.listen(1)
            work = _imported()
            job, _ = listener.accept()
        except TimeoutError:
            return 0
        finally:
            path.unlink(missing_ok=True)
    with job:
        arguments, outputs, *_ = socket.recv_fds(job, MOST_BYTES, 2)
        for number, output in enumerate(outputs, 1):
            os.dup2(output, number)
            os.close(output)
        job.send(TAKEN)
        done = threading.Event()
        threading.Thread(target=_end_with, args=(job, done), daemon=True).start()
        code = work(json.loads(arguments))
        done.set()
        job.send(bytes([code]))
        return code


def _imported() -> Callable[[list[str]], int]:
    from training.fitting.priority import lower_priority

    lower_priority()
    from data.errors import TelltaleError
    from data.home import home_from_env, keep_to_owner
    from models.registry.registry import Registry
    from training.retrain import main

    keep_to_owner()
    with suppress(TelltaleError):  # the work will say so
        home = home_from_env()
        Registry(home.tracking_uri, home.artifact_root)  # MLflow keeps what it has opened
    return main


def _end_with(job: socket.socket, done: threading.Event) -> None:
    if not job.recv(1) and not done.is_set():
        os._exit(1)


def work(path: Path, arguments: list[str]) -> int:
    stopped = threading.Event()
    with _socket() as waiting, suppress(OSError):
        waiting.connect(str(path))
        pid = struct.unpack("3i", waiting.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

        def stop(number: int, _frame: FrameType | None) -> None:
            stopped.set()
            with suppress(ProcessLookupError):
                os.kill(pid, number)

        signal.signal(signal.SIGTERM, stop)
        socket.send_fds(waiting, [json.dumps(arguments).encode()], [1, 2])
        if waiting.recv(1):
            return int.from_bytes(waiting.recv(1) or b"\1", "big")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 1 if stopped.is_set() else _imported()(arguments)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


if __name__ == "__main__":
    role, place, *rest = sys.argv[1:]
    sys.exit(wait(Path(place)) if role == "wait" else work(Path(place), rest))
