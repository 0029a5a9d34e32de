"""What MLflow runs where others load a version: `mlflow.pyfunc.load_model("models:/...")`.

It is put beside each bundle in the registry (models from code: no pickle), and needs Telltale
installed where it is loaded: what it imports of ours must stay where it is, or copies in registries
break. Nothing else imports it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from data.media.prepare import prepare
from models.bundle import load_bundle
from models.registry_pyfunc import ANSWERED
from models.runtime import OnnxModel


class Telltale(PythonModel):  # type: ignore[misc]  # untyped
    def load_context(self, context: PythonModelContext) -> None:
        self._bundle = load_bundle(Path(context.artifacts["bundle"]))
        self._model = OnnxModel(self._bundle)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row for each of the whole files in the column `clip`; raises ClipError."""
        clips = [prepare(raw, self._bundle.domain) for raw in model_input["clip"]]
        return pd.DataFrame(
            [
                (self._bundle.labels[scores.best], scores.confidence, scores.unknown)
                for scores in (self._model.answer([clip])[0] for clip in clips)
            ],
            columns=list(ANSWERED),
        )


set_model(Telltale())
