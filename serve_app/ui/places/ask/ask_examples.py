"""Clips to try: those of a folder, `<folder>/<domain>/*`; where it has none, some made here."""

from pathlib import Path

import numpy as np

from data.arrays import Doubles
from serve_app.client.answers import DomainInfo
from serve_app.ui.words.translate import mark

RATE_HZ, SECONDS, SIDE_PX = 16_000, 5.0, 512
SHOWN = 3


def examples_of(domain: DomainInfo, folder: Path | None, made: Path) -> list[Path]:
    """`made` is a folder for those that are made, as they are asked for."""
    own = sorted((folder / domain.name).glob("*")) if folder else []
    if own:
        return own[:SHOWN]
    made.mkdir(exist_ok=True)
    return MAKE[domain.modality](made)


def _sounds(folder: Path) -> list[Path]:
    """So simple that one hears what is in them; no data set is shipped."""
    import soundfile

    time_s = np.arange(int(RATE_HZ * SECONDS)) / RATE_HZ
    noise = np.random.default_rng(7).normal(size=len(time_s))
    since_s = time_s % 0.5
    sounds = {
        mark("a mains hum"): sum(np.sin(2 * np.pi * 100 * n * time_s) / n for n in (1, 2, 3, 5))
        * 0.2,
        mark("knocking"): noise * np.exp(-since_s * 60) * 0.5,
        mark("a hiss"): noise * 0.05,
    }
    paths = [folder / f"{name}.wav" for name in sounds]
    for path, samples in zip(paths, sounds.values(), strict=True):
        if not path.exists():
            soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ)
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


MAKE = {"audio": _sounds, "image": _photographs}
