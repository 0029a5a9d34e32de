"""Every peer answers what the bundle says: they differ in how they serve, never in what."""

import httpx
import pytest
from starlette.types import ASGIApp

from loadtest.bench.peers import asgi, fastapi_app
from loadtest.bench.peers.inference import BUNDLE, Kernel
from loadtest.clip import FORM_TYPE, MAIN, form, in_formats
from models.bundle import PRETRAINED
from support.local_server import Server

CLIP = in_formats()[MAIN]


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BUNDLE, str(PRETRAINED / "faults"))


FORM = form("file", [CLIP])


def posted(app: ASGIApp, path: str, body: bytes, content_type: str) -> httpx.Response:
    with Server(app) as url:
        headers = {"Content-Type": content_type}
        return httpx.post(url + path, content=body, headers=headers, timeout=60)


@pytest.mark.parametrize(
    ("path", "request_"), [("/predict", (FORM, FORM_TYPE)), ("/raw", (CLIP, "audio/wav"))]
)
def test_raw_asgi_and_fastapi_answer_with_the_kernels_words(
    path: str, request_: tuple[bytes, str]
) -> None:
    right = Kernel()(CLIP)
    assert posted(asgi.app(), path, *request_).content == right
    assert posted(fastapi_app.app(), path, *request_).content == right


@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
@pytest.mark.deploy  # librosa compiles for half a minute
def test_the_seed_style_hears_the_same_with_tools_of_its_own() -> None:
    pytest.importorskip("librosa")
    found = posted(fastapi_app.seed(), "/predict", FORM, FORM_TYPE).json()
    right = httpx.Response(200, content=Kernel()(CLIP)).json()
    assert found["label"] == right["label"]
    assert found["probabilities"] == pytest.approx(right["probabilities"], abs=1e-3)
