"""named_endpoints.py: `gradio_client` predicts and corrects by name, and sees nothing else."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from gradio_client import Client, handle_file

from serve_app.ui.app import build_page
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import LABELS, World
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.local_server import Server, below_ui


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("page")
    examples = folder / "examples" / "faults"
    examples.mkdir(parents=True)
    (examples / "hum.wav").write_bytes(tone())

    async def built(api: str) -> FastAPI:
        return build_page(api, folder / "uploads", folder / "examples")

    with (
        Server(create(World(step_s=0.1))) as api,
        Server(below_ui(asyncio.run(built(api)))) as at,
    ):
        patient = {"timeout": 60}
        found = Client(f"{at}/ui/", verbose=False, download_files=False, httpx_kwargs=patient)
        yield found
        found.close()


@pytest.fixture
def clip(tmp_path: Path) -> Any:
    (tmp_path / "pump.wav").write_bytes(tone())
    return handle_file(tmp_path / "pump.wav")


def test_three_endpoints_have_a_name_and_no_other_can_be_called(client: Any) -> None:
    told = client.view_api(return_format="dict")
    assert set(told["named_endpoints"]) == {"/predict", "/correct", "/domains"}
    assert not told["unnamed_endpoints"]
    names = [row["parameter_name"] for row in told["named_endpoints"]["/correct"]["parameters"]]
    assert names == ["clip", "label", "domain", "key", "mask"]


def test_a_clip_is_answered_as_the_service_answers_it(client: Any, clip: Any) -> None:
    found = client.predict(clip, domain="keywords", api_name="/predict")
    assert found["domain"] == "keywords"
    assert found["label"] in LABELS["keywords"]
    assert client.predict(clip, api_name="/predict")["domain"] == "faults"


def test_a_correction_counts_with_a_key_and_waits_without(client: Any, clip: Any) -> None:
    kept = client.predict(clip, "fluid", "faults", key=ADMIN, api_name="/correct")
    assert (kept["label"], kept["state"]) == ("fluid", "accepted")
    kept = client.predict(clip, "fluid", "faults", api_name="/correct")
    assert kept["state"] == "quarantined"


def test_a_photograph_is_corrected_by_a_mask(client: Any, tmp_path: Path) -> None:
    paths = tmp_path / "wall.png", tmp_path / "mask.png"
    for path, raw in zip(paths, cracked(seed=1), strict=True):
        path.write_bytes(raw)
    photograph, mask = map(handle_file, paths)
    kept = client.predict(photograph, domain="cracks", mask=mask, api_name="/correct")
    assert kept["label"] == "crack"


def test_domains_are_told_with_their_labels(client: Any) -> None:
    found = client.predict(api_name="/domains")
    assert {one["name"]: one["labels"] for one in found} == LABELS


def test_what_is_wrong_is_told_in_words(client: Any, clip: Any) -> None:
    with pytest.raises(Exception, match="there is no domain 'birds'"):
        client.predict(clip, domain="birds", api_name="/predict")
    with pytest.raises(Exception, match="faults has no label 'rust'"):
        client.predict(clip, "rust", "faults", api_name="/correct")
    with pytest.raises(Exception, match="there is no clip"):
        client.predict(None, api_name="/predict")
