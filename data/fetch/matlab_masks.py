"""Masks that a data set keeps as MATLAB's structures -> pictures beside them."""

from pathlib import Path

import numpy as np

from data.errors import DownloadError

GROUND = 1  # of CrackForest's segments; all others are cracks


def draw_masks(folder: Path) -> None:
    """`groundTruth/001.mat` of CrackForest -> `groundTruth/001.png`; raises DownloadError."""
    from PIL import Image
    from scipy.io import loadmat

    for file in sorted((folder / "groundTruth").glob("*.mat")):
        try:
            segments = loadmat(str(file))["groundTruth"]["Segmentation"][0, 0]
        except (ValueError, KeyError, IndexError, NotImplementedError) as error:
            raise DownloadError(f"{file.name} holds no masks as CrackForest has them") from error
        Image.fromarray(np.asarray(segments) > GROUND).save(file.with_suffix(".png"))
