"""The client is also a package of its own, for machines that have nothing else of Telltale."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from data.install_paths import CODE
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server

ASK = """
import sys
from telltale_client.client import Client
with Client(sys.argv[1]) as client:
    print(client.predict("faults", open(sys.argv[2], "rb").read()).label)
print(*sorted({"data", "models", "serve_app", "ray", "numpy"} & sys.modules.keys()))
"""


def test_it_predicts_without_the_rest_of_telltale(tmp_path: Path) -> None:
    shutil.copytree(CODE / "serve_app" / "client", tmp_path / "telltale_client")
    clip = tmp_path / "clip.wav"
    clip.write_bytes(tone(60))
    with Server(create(World(step_s=0.01))) as url:
        done = subprocess.run(
            [sys.executable, "-c", ASK, url, str(clip)],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.splitlines() == ["electrical", ""]


def test_it_has_the_version_of_the_service() -> None:
    files = (CODE / "pyproject.toml", CODE / "deploy" / "client" / "pyproject.toml")
    ours, its = (tomllib.loads(file.read_text("utf-8"))["project"] for file in files)
    assert ours["version"] == its["version"]
