"""What a replica is made of: only what a prediction needs."""

import subprocess
import sys

from serve_app.cluster.standby import NEEDED

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
