"""A teach's process, forked from one that has imported everything before Ray has started the job.

Ray takes a second and a half until a job's command runs, and imports take twice that. So once there
is something to teach, the service starts a process that imports, waits at a socket, and forks for
each job. The job's command, which imports nothing, hands its arguments and its output over, passes
on the signal to stop, and ends as the work ends; when it is killed, so is the work. Where no
process waits, the command does the work itself.

    python -m training.prestarted wait SOCKET                               the service
    python -m training.prestarted work SOCKET faults --mode teach --run ID  the job
"""

import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

IDLE_S = 900.0  # it holds 170 MB, which nobody has to spare when nobody teaches
IMPORTED_S = 60.0
HAND_OVER_S = 5.0
PID_BYTES = 8
MOST_BYTES = 100_000

Work = Callable[[list[str]], int]


def wait(path: Path) -> int:
    """Until nobody has asked for IDLE_S, or whoever started it, at the other end of the standard
    input, is gone. Who connects and says nothing asks as well."""
    path.unlink(missing_ok=True)  # of one that was killed
    with _socket() as listener:
        listener.bind(str(path))
        listener.listen()
        work = _imported()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a child
        starter = sys.stdin.fileno()
        _make_backgrounds(lambda: bool(select.select([listener, starter], [], [], 0)[0]))
        while asked := select.select([listener, starter], [], [], IDLE_S)[0]:
            if starter in asked:
                break
            with suppress(OSError), listener.accept()[0] as job:
                job.settimeout(HAND_OVER_S)
                arguments, outputs, *_ = socket.recv_fds(job, MOST_BYTES, 2)
                if arguments and os.fork() == 0:
                    job.settimeout(None)
                    listener.close()
                    _do(work, json.loads(arguments), outputs, job)
                for output in outputs:
                    os.close(output)
        path.unlink(missing_ok=True)
    return 0


def _do(work: Work, arguments: list[str], outputs: list[int], job: socket.socket) -> None:
    """In the fork, which ends here."""
    from training.fitting.priority import lower_session_priority
    from training.job.lifecycle import defer_sigterm

    code, done = 1, threading.Event()
    try:
        defer_sigterm()  # a stop that comes before the work has begun is one of the run as well
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        lower_session_priority()
        with open(os.devnull) as nothing:
            for number, stream in enumerate([nothing.fileno(), *outputs]):
                os.dup2(stream, number)
        job.send(os.getpid().to_bytes(PID_BYTES, "big"))
        threading.Thread(target=_end_with, args=(job, done), daemon=True).start()
        code = work(arguments)
    except BaseException:  # the job's log is where a person looks for it
        traceback.print_exc()
    finally:
        done.set()
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            job.send(bytes([code]))
        os._exit(code)


def _imported() -> Work:
    from training.fitting.priority import lower_session_priority

    lower_session_priority()
    from data.home import keep_to_owner
    from models.registry.mlflow_store import import_store
    from training.retrain import main

    keep_to_owner()
    import_store()
    return main


def _make_backgrounds(is_wanted: Callable[[], bool]) -> None:
    """What each teach of a domain that is served asks about, as far as there is time."""
    from data.domains.domain import AudioDomain, domains_from_env
    from data.errors import TelltaleError
    from training.assess.background import background_sounds

    with suppress(TelltaleError):  # of a domain's file; the job will tell
        for domain in domains_from_env().values():
            if isinstance(domain, AudioDomain) and not is_wanted():
                background_sounds(domain.input)


def _end_with(job: socket.socket, done: threading.Event) -> None:
    if not job.recv(1) and not done.is_set():
        os._exit(1)


def work(path: Path, arguments: list[str]) -> int:
    stopped = threading.Event()
    with _socket() as waiting, suppress(OSError):
        waiting.connect(str(path))
        taken_by: list[int] = []

        def stop(number: int, _frame: FrameType | None) -> None:
            stopped.set()
            for pid in taken_by:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

        signal.signal(signal.SIGTERM, stop)
        socket.send_fds(waiting, [json.dumps(arguments).encode()], [1, 2])
        waiting.settimeout(IMPORTED_S)  # of one that hangs nothing is to be expected
        if taken := waiting.recv(PID_BYTES):
            waiting.settimeout(None)
            taken_by.append(int.from_bytes(taken, "big"))
            if stopped.is_set():
                stop(signal.SIGTERM, None)
            return int.from_bytes(waiting.recv(1) or b"\1", "big")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 1 if stopped.is_set() else _imported()(arguments)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


if __name__ == "__main__":
    role, place, *rest = sys.argv[1:]
    sys.exit(wait(Path(place)) if role == "wait" else work(Path(place), rest))
