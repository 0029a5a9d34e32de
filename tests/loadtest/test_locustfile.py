"""Locust's users against a small real server, as a person would start them."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from loadtest.clip import clip_from, form, tone_in_noise
from loadtest.own_service import Target
from loadtest.scaling.locust_run import Record, run, summarise
from loadtest.scaling.presets import Preset
from support.local_server import Server

LOADTEST = Path(__file__).resolve().parents[2] / "loadtest"


class Answers:
    """Every fourth request is refused, every seventh fails."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.seen: Counter[str] = Counter()
        self.app.add_api_route("/{path:path}", self.answer, methods=["POST"])

    async def answer(self, path: str, request: Request) -> JSONResponse:
        body = await request.body()
        self.seen[path] += 1
        self.seen[f"{path} clips"] += body.count(b"RIFF")
        number = self.seen.total()
        if number % 4 == 0:
            return JSONResponse({}, 429, headers={"Retry-After": "0.2"})
        return JSONResponse({}, 503 if number % 7 == 0 else 200)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Record:
    load = Preset("", "1x1,4x2", "PowerUser")
    with Server(Answers().app) as url:
        found = run(Target(url, "faults"), load, tmp_path_factory.mktemp("out"), "steps")
    return found.record


def test_steps_come_in_their_order(recorded: Record) -> None:
    assert [step["wanted"] for step in recorded["wanted"]] == [1, 4]
    assert max(look["there"] for look in recorded["there"]) == 4


def test_answers_refusals_and_failures_are_told_apart(recorded: Record) -> None:
    found = summarise(recorded, recorded["wanted"][0]["at"], recorded["there"][-1]["at"])
    assert min(found["answered"], found["refused"], found["failed"]) > 0
    causes = {answer["cause"] for answer in recorded["ms"] if answer["cause"]}
    assert all("503" in cause for cause in causes)


def test_the_locustfile_also_works_by_itself() -> None:
    answers = Answers()
    command = [sys.executable, "-m", "locust", "-f", str(LOADTEST / "locustfile.py")]
    options = ["--headless", "-u", "6", "-r", "6", "-t", "4s", "--exit-code-on-error", "0"]
    with Server(answers.app) as url:
        users = ["NormalUser", "StressUser"]
        subprocess.run([*command, "--host", url, *options, *users], check=True, capture_output=True)
    assert answers.seen["predict clips"] == answers.seen["predict"] > 0
    assert answers.seen["batch-predict clips"] == 8 * answers.seen["batch-predict"] > 0


def test_a_clip_of_ones_own_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "clip.flac").write_bytes(b"fLaC...")
    clip = clip_from({"TELLTALE_CLIP": str(tmp_path / "clip.flac")})
    assert b"fLaC..." in form("file", [clip])
    assert clip_from({}) == tone_in_noise(seconds=5.0, rate_hz=16_000)
    assert len(clip_from({})) == 44 + 5 * 16_000 * 2
