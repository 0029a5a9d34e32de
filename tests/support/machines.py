"""Several machines on this one, for tests: network namespaces on a bridge of their own.

Each has its own address, loopback and ports, as another computer would; the disk and the kernel
are shared. That takes root and iproute2. Where they are missing, `machines` gives none of that:
its machines are this one, several times.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = f"198.18.{os.getpid() % 256}"  # of the range for tests between networks, RFC 2544
NAME = f"tt{os.getpid()}"


@dataclass
class Machine:
    """`namespace` and `ip` are empty where it is this machine itself."""

    namespace: str
    ip: str
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def run(
        self, arguments: list[str], environment: dict[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        """`python -m serve_app ...` there, its words in `log`."""
        return self.start([sys.executable, "-m", "serve_app", *arguments], environment, log)

    def start(
        self, command: list[str], environment: dict[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        with log.open("wb") as console:
            process = subprocess.Popen(
                [*self._inside, *command],
                env=environment,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def typed(self, line: str) -> None:
        """In a shell there."""
        done = subprocess.run([*self._inside, "bash", "-c", line], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def _inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []

    def unplug(self) -> None:
        """Everything on it dies at once."""
        for process in self.processes:
            process.kill()  # and the kernel ends its children with it
        if self.namespace:
            found = subprocess.run(
                ["ip", "netns", "pids", self.namespace], capture_output=True, text=True
            )
            for pid in found.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for process in self.processes:
            process.wait(30)


@contextmanager
def machines(number: int) -> Iterator[list[Machine]]:
    if not _may_make_namespaces():
        yield from _and_unplugged([Machine("", "") for _ in range(number)])
        return
    _ip(
        f"link add {NAME} type bridge", f"addr add {NETWORK}.1/24 dev {NAME}", f"link set {NAME} up"
    )
    try:
        yield from _and_unplugged([_namespace(place) for place in range(number)])
    finally:
        for place in range(number):
            _ip(f"netns del {NAME}-{place}", check=False)
        _ip(f"link del {NAME}")


def _and_unplugged(made: list[Machine]) -> Iterator[list[Machine]]:
    try:
        yield made
    finally:
        for machine in made:
            machine.unplug()


def _namespace(place: int) -> Machine:
    name, cable, ip = f"{NAME}-{place}", f"{NAME}v{place}", f"{NETWORK}.{place + 2}"
    _ip(
        f"netns add {name}",
        f"link add {cable} type veth peer name eth0 netns {name}",
        f"link set {cable} master {NAME} up",
        f"-n {name} link set lo up",
        f"-n {name} addr add {ip}/24 dev eth0",
        f"-n {name} link set eth0 up",
        f"-n {name} route add default via {NETWORK}.1",  # it tells Ray which address is its own
    )
    return Machine(name, ip)


def _may_make_namespaces() -> bool:
    try:
        _ip(f"netns add {NAME}-probe", f"netns del {NAME}-probe")
        _ip(f"link add {NAME} type bridge", f"link del {NAME}")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _ip(*commands: str, check: bool = True) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=check, capture_output=True)
