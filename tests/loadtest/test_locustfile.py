"""Locust's users against a small real server, as a person would start them."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile

from loadtest.own_service import Target
from loadtest.scaling.locust_run import Record, run, summarise
from loadtest.scaling.presets import Preset
from support.local_server import Server
from support.waiting import wait_for

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


def test_users_who_teach_send_labelled_clips_that_are_new_and_order_retrains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, forms, asked = {"hum", "hiss"}, list[bytes](), Counter[tuple[str, str]]()
    app = FastAPI()

    @app.get("/model-info")
    def model_info() -> dict[str, dict[str, list[str]]]:
        return {"card": {"labels": sorted(labels)}}

    @app.post("/{path:path}")
    async def answer(path: str, request: Request) -> JSONResponse:
        asked[path, request.headers.get("authorization", "")] += 1
        if path == "retrain":
            assert (await request.json())["mode"] == "teach"
            return JSONResponse({}, 409)  # another one is under way
        if path != "predict":
            async with request.form() as sent:
                fields = [part for _, part in sent.multi_items()]
                files = [await part.read() for part in fields if isinstance(part, UploadFile)]
            told = [part for part in fields if isinstance(part, str)]
            assert len(told) == len(files)
            assert labels >= set(told)
            forms.extend(files)
        return JSONResponse({})

    monkeypatch.setenv("TELLTALE_KEY", "k")
    monkeypatch.setenv("TELLTALE_THINK_S", "0,0.05")
    file = str(LOADTEST / "locustfile_teaching.py")
    command = [sys.executable, "-m", "locust", "-f", file, "--headless", "-u", "4", "-r", "4"]
    everything = {(path, "Bearer k") for path in ("predict", "feedback", "upload", "retrain")}
    with Server(app) as url, subprocess.Popen([*command, "--host", url, "TeachingUser"]) as locust:
        try:
            wait_for(lambda: set(asked) >= everything, patience_s=60)
        finally:
            locust.terminate()
    assert set(asked) == everything
    assert len(forms) == len(set(forms)) > 0


def test_a_clip_of_ones_own_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "clip.flac").write_bytes(b"fLaC...")
    told = "import sys; from loadtest.locustfile import body; sys.stdout.buffer.write(body('f', 2))"
    own = {"TELLTALE_CLIP": str(tmp_path / "clip.flac"), "PYTHONPATH": str(LOADTEST.parent)}
    sent = subprocess.check_output([sys.executable, "-c", told], env=os.environ | own)
    assert sent.count(b"fLaC...") == 2
