"""Training beside the service leaves the service's registry alone."""

import subprocess
import sys
from pathlib import Path


def test_nobody_waits_for_mlflow_where_nothing_is_registered(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from data.domains.domain import load_domains; "
        "from training.job.isolated import isolated_run; "
        "run = isolated_run(load_domains()['faults'], 'toy', Path(sys.argv[1]), 0); "
        "import training.job.full_retrain, training.crossval, training.pretrain; "
        "print('mlflow' in sys.modules, list(run.home.root.glob('mlflow*')))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False []", "")
