"""What a replica is made of, only what a prediction needs; and for what it keeps its places."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.errors import NotReady, Overloaded
from data.home import home_from_env
from serve_app import domain_service
from serve_app.cluster.standby import NEEDED
from serve_app.domain_service import DomainService
from serve_app.replica.admission import Admission
from serve_app.replica.other_versions import OtherVersions

HEAVY = [
    "torch",
    "torchaudio",
    "librosa",
    "mlflow",
    "gradio",
    "sqlalchemy",
    "matplotlib",
    "scipy.signal",
    "av",
    "soundfile",
    "PIL",
]


def replica(folder: Path) -> Any:
    """One whose curator never answers."""

    async def never(*_: object) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    home = home_from_env({"TELLTALE_HOME": str(folder)})
    return SimpleNamespace(
        champion=SimpleNamespace(loaded=False),
        admission=Admission(0.5),
        _others=OtherVersions("keywords", home, never, never),
    )


def test_a_replica_loads_nothing_that_a_prediction_does_not_need() -> None:
    code = (
        f"import sys, {', '.join(NEEDED)}, data.media.prepare, models.runtime\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("is_full", "refusal", "words"),
    [(True, Overloaded, "wait here already"), (False, NotReady, "curator")],
)
def test_who_only_asks_what_a_version_is_waits_little_and_has_no_place_of_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
    refusal: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr(domain_service, "CURATOR_PATIENCE_S", 0.05)
    service = replica(tmp_path)
    with ExitStack() as stack:
        for number in range(service.admission.places if is_full else 0):
            stack.enter_context(service.admission.place(str(number)))
        with pytest.raises(refusal, match=words):
            asyncio.run(DomainService.described(service, "2", "anna"))


def test_who_waits_for_the_curator_takes_no_place_from_who_does_not(tmp_path: Path) -> None:
    service = replica(tmp_path)

    async def ask() -> bool:
        asked = [
            asyncio.create_task(DomainService.predict_on(service, "2", b"", str(number)))
            for number in range(20)
        ]
        await asyncio.sleep(0.05)
        busy: bool = service.admission.busy
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)
        return busy

    assert not asyncio.run(ask())
