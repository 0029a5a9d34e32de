"""training/walkthrough.ipynb is run from its first cell to its last, on tones it makes itself."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from data.domains.domain import CONFIGS
from models.registry.registry import Registry
from support.tiny import fresh_registry

NOTEBOOK = Path(__file__).resolve().parents[2] / "training" / "walkthrough.ipynb"
SETTING = "DOMAIN, EPOCHS, CLIPS_PER_LABEL, HOME = 'tones', 10, 12, {home!r}"
PLOTS = 8
MAX_BYTES = 400_000
PATHS = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|usr|opt|var|Users)/")


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def printed(notebook: Any) -> str:
    return "".join(one.text for one in outputs(notebook) if one.output_type == "stream")


def plots(notebook: Any) -> int:
    return sum("image/png" in one.get("data", {}) for one in outputs(notebook))


def small_domain(folder: Path) -> None:
    """`tones`: three labels, and a network that learns them in seconds."""
    domain = yaml.safe_load((CONFIGS / "keywords.yaml").read_text(encoding="utf-8"))
    domain["labels"] = ["low", "middle", "high"]
    domain["source"]["dataset"] = "tones"
    domain["network"] = {"kind": "cnn", "channels": [8, 16, 24], "embedding": 16, "dropout": 0.2}
    domain["training"] |= {"batch_size": 8, "learning_rate": 0.01, "start_from": None}
    folder.mkdir()
    (folder / "tones.yaml").write_text(yaml.safe_dump(domain), encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("walkthrough")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return fresh_registry(home)


@pytest.fixture(scope="module")
def walked(home: Path, registry: Registry) -> Any:
    import matplotlib.pyplot  # noqa: F401  # else the notebook may be the first, and tells of fonts

    small_domain(home / "configs")
    notebook = read()
    first = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    first.source = SETTING.format(home=str(home))
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    own = {"TELLTALE_CONFIGS": str(home / "configs"), "TELLTALE_DATASETS": str(home / "none")}
    NotebookClient(notebook, timeout=300, resources=where).execute(env=os.environ | own)
    return notebook


@pytest.mark.deploy
def test_it_runs_through_and_complains_of_nothing(walked: Any) -> None:
    assert not [one for one in outputs(walked) if one.output_type == "error"]
    assert not [one.text for one in outputs(walked) if one.get("name") == "stderr"]


@pytest.mark.deploy
def test_every_step_is_shown(walked: Any) -> None:
    assert plots(walked) == plots(read()) == PLOTS


@pytest.mark.deploy
def test_it_ends_with_a_champion_that_has_learnt_a_correction(
    walked: Any, registry: Registry
) -> None:
    taught, trained = registry.versions("tones")
    assert (trained.number, trained.tags["mode"], trained.aliases) == ("1", "full", ("previous",))
    assert (taught.number, taught.tags["mode"], taught.aliases) == ("2", "teach", ("champion",))
    said = printed(walked)
    (right,) = re.findall(r"somebody says: (\w+)", said)
    assert f"version 2: {right}" in said


def test_the_one_that_is_shipped_was_run_whole_and_names_no_machine() -> None:
    shipped = read()
    counts = [cell.execution_count for cell in shipped.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not PATHS.search(printed(shipped))
    assert NOTEBOOK.stat().st_size < MAX_BYTES
