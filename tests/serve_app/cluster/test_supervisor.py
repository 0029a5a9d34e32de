"""What becomes of a service whose cluster ends, or whose launcher is killed."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.errors import Conflict
from data.home import home_from_env
from serve_app.cluster.service_processes import MARK, end_service, scratch_path, service_processes
from serve_app.cluster.supervisor import TRY_AGAIN, alone_at, alone_in
from support.waiting import wait_for

# A cluster in small: says that it is up, leaves a process of its own behind, and goes on as told.
CLUSTER = """
    import os, subprocess, sys, time
    from serve_app.cluster.parent_death import die_with
    up, parent = int(sys.argv[-3]), int(sys.argv[-1])
    os.set_inheritable(up, False)
    die_with(parent)
    runs = open("runs", "a"); print(os.getpid(), file=runs, flush=True)
    count = len(open("runs").readlines())
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    {body}
"""
SUPERVISOR = """
    import os, sys
    from data.errors import TelltaleError
    from data.home import home_from_env
    from data.terminal import command
    from serve_app.cluster.service_processes import stop_when_asked
    from serve_app.cluster.supervisor import alone_in, supervise
    @command(TelltaleError)
    def main():
        home = home_from_env()
        stop_when_asked()
        with alone_in(home):
            os.environ["{mark}"] = str(home.root)
            return supervise(["cluster"], home, lambda text: print(text, flush=True))
    sys.exit(main())
"""
SERVES = "os.write(up, b'up\\n'); time.sleep(60)"


class Supervised:
    def __init__(self, folder: Path, body: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        script = textwrap.dedent(CLUSTER).format(body=body)
        (folder / "cluster.py").write_text(script, encoding="utf-8")
        self.environment = os.environ | {
            "TELLTALE_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        }
        self.process = self.start()

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SUPERVISOR).format(mark=MARK)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def close(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def runs(self) -> list[int]:
        path = self.folder / "runs"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def left(self) -> list[int]:
        return service_processes(self.home.resolve())


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[[str], Supervised]]:
    made: list[Supervised] = []

    def make(body: str) -> Supervised:
        made.append(Supervised(tmp_path, body))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        end_service(one.home.resolve())
        one.close()


def test_a_cluster_that_ends_is_started_anew_and_said(
    supervised: Callable[[str], Supervised],
) -> None:
    one = supervised(SERVES)
    wait_for(lambda: len(one.runs()) == 1 and len(one.left()) == 2)
    first = one.left()
    os.kill(one.runs()[0], signal.SIGKILL)
    wait_for(lambda: len(one.runs()) == 2 and len(one.left()) == 2)
    assert not set(first) & set(one.left()), "what the dead cluster left behind still runs"
    one.process.send_signal(signal.SIGINT)
    said, _ = one.process.communicate(timeout=20)
    assert "the cluster has ended (signal 9); starting it anew" in said
    assert one.process.returncode == 0
    assert not one.left()


def test_a_start_that_fails_is_the_end_with_one_sentence_and_nothing_left(
    supervised: Callable[[str], Supervised],
) -> None:
    one = supervised("print('telltale: no', flush=True); sys.exit(3)")
    said, _ = one.process.communicate(timeout=20)
    assert (said, one.process.returncode) == ("telltale: no\n", 1)
    assert len(one.runs()) == 1
    assert not one.left()


@pytest.mark.parametrize(
    ("ends", "how"), [("os.kill(os.getpid(), 9)", "signal 9"), ("sys.exit(0)", "exit code 0")]
)
def test_a_start_that_is_ended_before_it_served_says_how(
    supervised: Callable[[str], Supervised], ends: str, how: str
) -> None:
    one = supervised(ends)
    said, _ = one.process.communicate(timeout=20)
    assert said.startswith(f"telltale: the cluster has ended ({how}) before it served; ")
    assert (said.count("\n"), one.process.returncode) == (1, 1)


def test_a_start_that_never_succeeds_is_given_up(supervised: Callable[[str], Supervised]) -> None:
    one = supervised(f"sys.exit({TRY_AGAIN})")
    one.process.communicate(timeout=30)
    assert (len(one.runs()), one.process.returncode) == (3, 1)


def test_a_start_that_may_succeed_another_time_is_tried_again(
    supervised: Callable[[str], Supervised],
) -> None:
    one = supervised(f"sys.exit({TRY_AGAIN}) if count < 3 else None; {SERVES}")
    wait_for(lambda: len(one.runs()) == 3)
    assert one.process.poll() is None


def test_a_cluster_ends_with_its_launcher_however_that_ends(
    supervised: Callable[[str], Supervised],
) -> None:
    one = supervised(SERVES)
    wait_for(lambda: len(one.left()) == 2)
    cluster = one.runs()[0]
    one.process.kill()
    wait_for(lambda: cluster not in one.left())


def test_a_start_ends_what_an_earlier_one_left_behind(
    supervised: Callable[[str], Supervised],
) -> None:
    one = supervised(SERVES)
    wait_for(lambda: len(one.left()) == 2)
    one.process.kill()
    one.process.wait()
    orphans = set(one.left())
    assert orphans, "the test needs something that outlives its parent"
    one.close()
    one.process = one.start()
    wait_for(lambda: len(one.runs()) == 2)
    assert not orphans & set(one.left())


def test_two_services_in_one_home_are_refused_in_words(
    supervised: Callable[[str], Supervised], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = supervised(SERVES)
    wait_for(one.runs)
    monkeypatch.setenv("TELLTALE_HOME", str(one.home))
    with (
        pytest.raises(Conflict, match=f"process {one.process.pid}.*TELLTALE_HOME of its own"),
        alone_in(home_from_env()),
    ):
        raise AssertionError("it started")
    assert one.left(), "the refused one has ended the other's processes"


def test_two_services_never_share_a_port() -> None:
    """However close together they start: neither listens yet when the other looks."""
    with (
        alone_at(8123),
        pytest.raises(Conflict, match="port 8123 is taken by another Telltale"),
        alone_at(8123),
    ):
        raise AssertionError("it started")
    with alone_at(8123):
        pass


def test_a_process_whose_title_has_covered_its_mark_is_found_all_the_same(tmp_path: Path) -> None:
    """Ray's agents set their titles over what of the environment comes first, or over all of it."""
    home, other, proc = tmp_path / "home", tmp_path / "other", tmp_path / "proc"

    def process(pid: int, parent: int, environment: str) -> None:
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "environ").write_bytes(b"\0" * 40 + environment.encode() + b"\0")
        (proc / str(pid) / "stat").write_text(f"{pid} (a (title) of its own) S {parent} {pid} 0")

    process(9, 1, f"TELLTALE_HOME={home}")
    for pid, of in ((11, home), (12, other)):
        process(pid, 1, f"RAY_SERVE_HAPROXY_CONFIG_FILE_LOC={scratch_path(of)}/haproxy.cfg")
        process(pid + 10, pid, "")
    process(31, 21, "")
    assert service_processes(home, proc) == [11, 21, 31]
