"""A service of one's own for a measurement: a fixed number of replicas of one domain, a fresh home.

It is started as a person would start it, and stopped with the measurement, however that ends.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from data.errors import NotReady
from data.installed import CODE, FILES
from loadtest.machine.family import end
from loadtest.machine.interrupt import stop_on_signal

PATIENCE_S = 240.0
STOP_S = 60.0


@dataclass(frozen=True)
class OwnService:
    url: str
    key: str  # the admin's
    pid: int
    home: Path


@contextmanager
def own_service(replicas: int, port: int, domain: str = "faults") -> Iterator[OwnService]:
    """Raises NotReady with the service's own last words when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="telltale-load-", dir="/tmp") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        config = Path(folder) / "serve.yaml"
        config.write_text(fixed_replicas(replicas), encoding="utf-8")
        with running(home, config, port, domain, Path(folder) / "console.log") as process:
            yield OwnService(f"http://127.0.0.1:{port}", admin_key(home), process.pid, home)


@contextmanager
def running(
    home: Path, config: Path, port: int, domain: str, log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """The service up and answering inside the block, its console in `log`; behind it nothing of it
    is left, nor after Ctrl-C or SIGTERM."""
    stop_on_signal()
    process = launched(home, config, port, domain, log)
    try:
        wait_until_up(process, log)
        yield process
    finally:
        end(process.pid, STOP_S)
        process.wait()


def launched(
    home: Path, config: Path, port: int, domain: str, log: Path, **settings: str
) -> "subprocess.Popen[bytes]":
    """The command as a person would type it, in a session of its own; `settings` are more of its
    environment."""
    with log.open("w", encoding="utf-8") as console:
        return subprocess.Popen(
            [sys.executable, "-m", "serve_app", "serve", "--config", str(config)],
            env=_environment(home, port, domain) | settings,
            cwd=CODE,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def admin_key(home: Path) -> str:
    return (home / "admin-key").read_text(encoding="utf-8").strip()


def fixed_replicas(replicas: int) -> str:
    """deploy/serve.yaml with the autoscaler held at one number of replicas."""
    config = yaml.safe_load((FILES / "deploy" / "serve.yaml").read_text(encoding="utf-8"))
    bounds = dict.fromkeys(("min_replicas", "initial_replicas", "max_replicas"), replicas)
    for application in config["applications"]:
        for deployment in application.get("deployments", []):
            if "autoscaling_config" in deployment:
                deployment["autoscaling_config"] = deployment["autoscaling_config"] | bounds
    text: str = yaml.safe_dump(config)
    return text


def _environment(home: Path, port: int, domain: str) -> dict[str, str]:
    """Nothing of a service that runs beside it: a store or a registry would be shared."""
    shared = ("TELLTALE_", "MLFLOW_", "RAY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(shared)}
    return kept | {
        "TELLTALE_HOME": str(home),
        "TELLTALE_PORT": str(port),
        "TELLTALE_DOMAINS": domain,
    }


def wait_until_up(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Raises NotReady with its last words where it ends instead, or time is up."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if is_up(log):
            return
        time.sleep(0.2)
    raise NotReady(f"the service did not start; its last words:\n{last_words(log)}")


def is_up(log: Path) -> bool:
    return "Telltale is up" in log.read_text(encoding="utf-8", errors="replace")


def last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
