"""The README's own commands, against the running service."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from support.inputs.sounds import tone
from support.service import Service

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text(encoding="utf-8")
SHELL: list[str] = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)


def block(word: str) -> str:
    return next(text for text in SHELL if word in text)


def run(service: Service, folder: Path, script: str) -> str:
    """A shell block as a newcomer would paste it, with this service's address and home."""
    (folder / "clip.wav").write_bytes(tone(seed=11))
    (folder / "another.flac").write_bytes(tone(seed=12))
    script = script.replace("http://127.0.0.1:8000", service.url)
    script = script.replace("var/admin-key", str(service.home / "admin-key"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_asking_answers_with_the_keys_the_readme_shows(service: Service, tmp_path: Path) -> None:
    answer = json.loads(run(service, tmp_path, block("/predict")))
    shown = json.loads(
        next(
            text
            for text in re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)
            if "probabilities" in text
        )
    )
    assert set(answer) == set(shown)
    assert set(answer["clip"]) == set(shown["clip"])


def test_correcting_gives_a_receipt_that_can_be_followed(service: Service, tmp_path: Path) -> None:
    lines = block("/feedback").split("\n")
    correct = "\n".join(lines[:3])
    follow = next(line for line in lines if "RECEIPT" in line)
    receipt = json.loads(run(service, tmp_path, correct))
    assert receipt["state"] == "accepted"
    life = json.loads(run(service, tmp_path, follow.replace("RECEIPT", receipt["receipt"])))
    assert life["receipt"] == receipt["receipt"]


@pytest.mark.parametrize("what", ["telltale predict", "telltale retrain faults --mode full --dry"])
def test_the_commands_run(service: Service, tmp_path: Path, datasets: Path, what: str) -> None:
    line = next(line for text in SHELL for line in text.split("\n") if what in line)
    root = Path(__file__).resolve().parent.parent.parent
    assert run(service, tmp_path, line.replace(".venv/bin/telltale", _telltale(root)))


def _telltale(root: Path) -> str:
    import sys

    return f"PYTHONPATH={root} {sys.executable} -m telltale"
