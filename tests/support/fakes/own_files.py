"""Domain files and recipes of one's own, as a person makes them from one that is there."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.domains.domain import CONFIGS


def changed(folder: Path, raw: dict[str, Any], change: dict[str, Any]) -> Path:
    """`mine.yaml`: `raw` with some keys ("network.kind") set to a value, or left out for `...`."""
    for key, value in change.items():
        *path, last = key.split(".")
        section = raw
        for part in path:
            section = section[part]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return file


def know_digits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the domain `digits` is known, and `keywords`, which something is shipped for."""
    folder.mkdir()
    for name in ("digits", "keywords"):
        shutil.copy(CONFIGS / "keywords.yaml", folder / f"{name}.yaml")
    monkeypatch.setenv("TELLTALE_CONFIGS", str(folder))
