"""Clips to try: those of a folder, `<folder>/<domain>/*`; where it has none, some made here."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.arrays import Doubles
from serve_app.client.answers import DomainInfo
from serve_app.ui.places.ask.made_sounds import RATE_HZ, made_sounds
from serve_app.ui.words.translate import mark

SIDE_PX = 512
SHOWN = 3


def examples_of(domain: DomainInfo, folder: Path | None, made: Path) -> list[Path]:
    """`made` is a folder for those that are made, as they are asked for."""
    own = sorted((folder / domain.name).glob("*")) if folder else []
    if own:
        return own[:SHOWN]
    made_for = made / domain.name
    made_for.mkdir(parents=True, exist_ok=True)
    return (
        _sounds(domain.examples, made_for) if domain.modality == "audio" else _photographs(made_for)
    )


def _sounds(names: Sequence[str], folder: Path) -> list[Path]:
    import soundfile

    sounds = made_sounds(names)
    paths = [folder / f"{name}.wav" for name in sounds]
    for path, make in zip(paths, sounds.values(), strict=True):
        if not path.exists():
            soundfile.write(path, np.clip(make(), -1, 1), RATE_HZ)
    return paths


def _photographs(folder: Path) -> list[Path]:
    from PIL import Image

    noise = np.random.default_rng(7)
    wall = 150 + noise.normal(0, 6, (SIDE_PX, SIDE_PX))
    walls = {
        mark("a drawn crack"): _across(wall, np.cumsum(noise.normal(0, 2.0, SIDE_PX)), 2),
        mark("a plain wall"): wall,
        mark("a straight joint"): _across(wall, np.zeros(SIDE_PX), 5),
    }
    paths = [folder / f"{name}.png" for name in walls]
    for path, grey in zip(paths, walls.values(), strict=True):
        if not path.exists():
            Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(path)
    return paths


def _across(wall: Doubles, off: Doubles, width_px: int) -> Doubles:
    """The wall with a dark line from left to right, `off` its middle at each column."""
    rows = np.arange(SIDE_PX)[:, None]
    return np.where(np.abs(rows - SIDE_PX / 2 - off) < width_px, 55.0, wall)
