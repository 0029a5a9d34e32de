"""What makes a bundle a model of MLflow's too: `MLmodel` with its signature, and `pyfunc.py`.

`MLmodel` is written as MLflow documents it and not by its own functions: importing those would
hold up each teach by a second.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import yaml

from models.bundle import Bundle

CODE = Path(__file__).with_name("pyfunc.py")
ASKED = {"clip": "binary"}
ANSWERED = {"label": "string", "confidence": "float", "unknown": "boolean"}


def write_pyfunc(bundle: Bundle, folder: Path) -> None:
    """The files that are put beside those of the bundle, which is their artefact."""
    flavor = {
        "loader_module": "mlflow.pyfunc.model",
        "model_code_path": CODE.name,
        "artifacts": {"bundle": {"path": ".", "uri": "."}},
    }
    model = {
        "flavors": {"python_function": flavor},
        "mlflow_version": version("mlflow"),
        "signature": {"inputs": _columns(ASKED), "outputs": _columns(ANSWERED)},
        "metadata": {"domain": bundle.domain.name, "digest": bundle.digest},
        "utc_time_created": f"{bundle.card.created:%Y-%m-%d %H:%M:%S.%f}",
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(model), encoding="utf-8")
    shutil.copy(CODE, folder)


def _columns(types: dict[str, str]) -> str:
    rows = [{"name": name, "type": kind, "required": True} for name, kind in types.items()]
    return json.dumps(rows)
