"""KServe's client and Label Studio's schemas against the real routes.

They want other versions than are pinned, and so live in an environment of theirs, .venv-clients.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.install_paths import CODE
from serve_app.http.api import build_api
from support.inputs.sounds import tone
from support.keys import key_of
from support.local_server import Server
from support.replica import Replica

PYTHON = CODE / ".venv-clients" / "bin" / "python"
SCRIPTS = CODE / "tests" / "support" / "stock"
CLIPS = [tone(300, rate_hz=8_000), tone(900, rate_hz=8_000)]

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs `make .venv-clients`"),
]


@pytest.fixture(scope="module")
def address(replica: Replica) -> Iterator[str]:
    door: Any = build_api(replica)  # type: ignore[arg-type]
    with Server(door) as url:
        yield f"{url}/keywords"


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    files = [tmp_path / f"{number}.wav" for number in range(len(CLIPS))]
    for file, clip in zip(files, CLIPS, strict=True):
        file.write_bytes(clip)
    return list(map(str, files))


def said_by(script: str, *arguments: str) -> Any:
    order = [str(PYTHON), str(SCRIPTS / script), *arguments]
    found = subprocess.run(order, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def predicted(address: str) -> list[dict[str, Any]]:
    return [httpx.post(f"{address}/predict", files={"file": clip}).json() for clip in CLIPS]


def test_kserves_client_gets_what_predict_answers(address: str, clips: list[str]) -> None:
    wanted = predicted(address)
    found = said_by("kserve_client.py", address, "keywords", *clips)
    assert found["labels"] == [[one["label"] for one in wanted]] * 4
    assert found["confidence"] == pytest.approx([one["confidence"] for one in wanted], abs=1e-4)
    known = [found[each] for each in ("live", "ready", "model ready", "another ready")]
    assert known == [True, True, True, False]
    assert "there is no model 'another'" in found["another"]
    assert "is text" in found["no clip"]


def test_label_studios_schemas_take_our_pre_annotations_and_we_their_annotation(
    address: str, replica: Replica, clips: list[str]
) -> None:
    wanted, labels = predicted(address)[0], replica.domain.labels
    key = key_of(replica.store, "ann", "contributor")
    found = said_by("label_studio.py", address, key, ",".join(labels), clips[0])
    assert (found["errors"], found["annotation"]) == ([], True)
    assert (found["label"], found["version"]) == ([wanted["label"]], wanted["model"]["version"])
    assert found["score"] == pytest.approx(wanted["confidence"], abs=1e-5)
    receipt = replica.store.feedback.get(found["receipt"])
    assert (receipt.corrected, receipt.who) == (labels[0], "ann")
