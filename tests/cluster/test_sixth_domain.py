"""A domain that nobody foresaw: one YAML file and a folder for each label, and nothing else.

By the commands that a newcomer would give: trained, served, asked, corrected and taught.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from data.domains.domain import CONFIGS
from support.inputs.sounds import wav
from support.service import Service, started

RATE_HZ = 16_000
TAKES = 12
PATIENCE_S = 240

Sound = NDArray[np.float64]


def whistle(time_s: Sound, rng: np.random.Generator) -> Sound:
    pitch_hz = rng.uniform(2200, 3200) + 60 * np.sin(2 * np.pi * 6 * time_s)
    return 0.4 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ)


def hum(time_s: Sound, rng: np.random.Generator) -> Sound:
    mains_hz = rng.uniform(90, 130)
    sound = np.zeros_like(time_s)
    for n in (1, 2, 3, 5):
        sound += 0.3 / n * np.sin(2 * np.pi * n * mains_hz * time_s)
    return sound


def rattle(time_s: Sound, rng: np.random.Generator) -> Sound:
    beats = np.exp(-30 * (time_s * rng.uniform(7, 12) % 1))
    return 0.3 * beats * rng.standard_normal(time_s.size)


KETTLES: dict[str, Callable[[Sound, np.random.Generator], Sound]] = {
    "whistle": whistle,
    "hum": hum,
    "rattle": rattle,
}


def recording(label: str, seed: int) -> bytes:
    rng = np.random.default_rng([seed, *label.encode()])
    time_s = np.arange(RATE_HZ) / RATE_HZ
    sound = KETTLES[label](time_s, rng) + rng.normal(0, 0.01, time_s.size)
    return wav(sound, RATE_HZ)


def odd() -> bytes:
    """Clicks of a relay, which no kettle of the folder makes."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    clicks = np.exp(-400 * (time_s % 0.25)) * np.sin(2 * np.pi * 900 * time_s)
    return wav(0.6 * clicks, RATE_HZ)


@dataclass(frozen=True)
class Newcomer:
    """What somebody has who starts: a home, a file in `configs` and the folder `datasets`."""

    home: Path
    settings: dict[str, str]

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=os.environ | {"TELLTALE_HOME": str(self.home)} | self.settings,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    root = tmp_path_factory.mktemp("newcomer")
    for label in KETTLES:
        folder = root / "sounds" / "kettles" / label
        folder.mkdir(parents=True)
        for take in range(TAKES):
            (folder / f"{take}.wav").write_bytes(recording(label, take))
    (root / "mine").mkdir()
    (root / "mine" / "kettles.yaml").write_text(kettles_yaml(), encoding="utf-8")
    settings = {
        "TELLTALE_CONFIGS": str(root / "mine"),
        "TELLTALE_DATASETS": str(root / "sounds"),
    }
    return Newcomer(root / "home", settings)


def kettles_yaml() -> str:
    """A shipped file with other labels and another source, and small enough for 36 short clips."""
    domain = yaml.safe_load((CONFIGS / "faults.yaml").read_text(encoding="utf-8"))
    domain["title"], domain["labels"] = "Kettles", list(KETTLES)
    del domain["rest_label"]
    domain["source"] = {"dataset": "kettles", "layout": "folders", "licence": "my own"}
    domain["input"] |= {"window_s": 1.0, "hop_s": 0.5}
    domain["network"] |= {"channels": [8, 16, 24], "embedding": 16}
    domain["training"].pop("start_from")  # it is of another size
    domain["training"] |= {"epochs": 20, "batch_size": 8, "learning_rate": 0.01}
    domain["training"]["augment"] |= {"time_shift_s": 0.2, "mixup_alpha": 0.0}
    text: str = yaml.safe_dump(domain)
    return text


@pytest.fixture(scope="module")
def trained(newcomer: Newcomer) -> str:
    return newcomer.command("training.retrain", "kettles", "--mode", "full", "--workers", "0")


@pytest.fixture(scope="module")
def kettles(newcomer: Newcomer, trained: str) -> Iterator[Service]:
    with started(newcomer.home, **newcomer.settings) as running:
        yield running


@pytest.fixture
def client(kettles: Service) -> Iterator[httpx.Client]:
    with kettles.client(kettles.admin_key) as admin:
        yield admin


def ask(client: httpx.Client, clip: bytes) -> tuple[str, str]:
    """label and version"""
    found = client.post("/kettles/predict", files={"file": clip}).raise_for_status()
    assert found.json()["model"]["version"] == found.headers["X-Model-Version"]
    return found.json()["label"], found.headers["X-Model-Version"]


def until(find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.2)
    raise AssertionError(f"it did not come within {PATIENCE_S} s")


def test_the_first_training_makes_the_first_champion(trained: str) -> None:
    assert "with no champion to compare against" in trained
    assert "Kettles: version 1 is now the champion" in trained


@pytest.mark.usefixtures("trained")
def test_what_was_trained_can_be_asked_without_a_server(newcomer: Newcomer, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(recording("hum", 100))
    said = newcomer.command("serve_app", "predict", "--domain", "kettles", str(tmp_path / "a.wav"))
    assert said.split()[0] == "hum"


def test_it_is_the_one_domain_that_is_served(client: httpx.Client) -> None:
    assert [row["name"] for row in client.get("/domains").json()["domains"]] == ["kettles"]
    card = client.get("/kettles/model-info").raise_for_status().json()["card"]
    assert card["labels"] == list(KETTLES)
    assert card["licence"] == "my own"


@pytest.mark.parametrize("label", KETTLES)
def test_recordings_it_has_never_heard_are_told_apart(client: httpx.Client, label: str) -> None:
    assert ask(client, recording(label, 200))[0] == label


def test_a_correction_is_taught_and_every_replica_serves_the_new_version(
    client: httpx.Client,
) -> None:
    before, version = ask(client, odd())
    right = next(label for label in KETTLES if label != before)
    receipt = client.post("/kettles/feedback", files={"file": odd()}, data={"label": right})
    assert receipt.json()["state"] == "accepted", receipt.text
    run_id = until(lambda: ordered(client))
    ended = until(lambda: finished(client, run_id))
    assert ended["result"]["promoted"], ended["result"]["reasons"]
    until(lambda: agreed(client) == ended["result"]["version"])
    assert ended["result"]["version"] != version
    assert ask(client, odd()) == (right, ended["result"]["version"])


def ordered(client: httpx.Client) -> str | None:
    """The run's id, or None where a busy machine says to try again."""
    found = client.post("/kettles/retrain", json={"mode": "teach"})
    if found.status_code == 202:
        run_id: str = found.json()["id"]
        return run_id
    assert found.status_code in {409, 503}, found.text
    runs = client.get("/kettles/retrain").raise_for_status().json()["runs"]
    going = [run for run in runs if run["mode"] == "teach" and run["state"] != "failed"]
    return going[0]["id"] if going else None


def finished(client: httpx.Client, run_id: str) -> dict[str, Any] | None:
    run: dict[str, Any] = client.get(f"/kettles/retrain/{run_id}").json()
    return run if run["finished"] else None


def agreed(client: httpx.Client) -> str | None:
    """The version that all replicas serve, once they do."""
    status = client.get("/status").json()["domains"]["kettles"]
    found: str | None = status["champion"]["version"] if status["agree"] else None
    return found
