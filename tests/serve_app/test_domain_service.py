"""What a replica is made of, only what a prediction needs; and for what it keeps its places."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from data.home import home_from_env
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


def test_a_replica_loads_nothing_that_a_prediction_does_not_need() -> None:
    code = (
        f"import sys, {', '.join(NEEDED)}, data.media.prepare, models.runtime\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_who_waits_for_the_curator_takes_no_place_from_who_does_not(tmp_path: Path) -> None:
    async def never(*_: object) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    home, admission = home_from_env({"TELLTALE_HOME": str(tmp_path)}), Admission(0.5)
    service = SimpleNamespace(
        champion=SimpleNamespace(loaded=False),
        admission=admission,
        _others=OtherVersions("keywords", home, never, never),
    )

    async def ask() -> bool:
        asked = [
            asyncio.create_task(DomainService.predict_on(service, "2", b"", str(number)))  # type: ignore[arg-type]
            for number in range(20)
        ]
        await asyncio.sleep(0.05)
        busy = admission.busy
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)
        return busy

    assert not asyncio.run(ask())
