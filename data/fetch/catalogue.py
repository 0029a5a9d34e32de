"""Public data sets, where their makers publish them, and on what terms.

A checksum stands here only where the maker, or a library that its users rely on, has published
one for that very file; the archives that GitHub packs on demand have none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.datasets import manifests
from data.errors import DownloadError, UnknownName
from data.fetch.download import Checksum

GROUND = 1  # of CrackForest's segments; all others are cracks


def as_it_is(folder: Path) -> None:
    """Nothing has to be done to what was unpacked."""


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


@dataclass(frozen=True)
class Published:
    title: str
    url: str
    home: str
    licence: str
    size: str = "size unknown"  # of the download, about
    checksum: Checksum | None = None
    rows: Callable[[Path], list[manifests.Row]] | None = None  # None: no list of it can be made
    inside: str = ""  # the folder of the archive that is meant
    prepare: Callable[[Path], None] = as_it_is


CATALOGUE: dict[str, Published] = {
    "esc50": Published(
        title="ESC-50: 2,000 environmental sounds of 50 classes (Piczak 2015)",
        url="https://github.com/karolpiczak/ESC-50/archive/master.zip",
        home="https://github.com/karolpiczak/ESC-50",
        licence="CC BY-NC 3.0; its ESC-10 part CC BY 3.0",
        size="about 600 MB",
        rows=manifests.esc50,
    ),
    "speech_commands": Published(
        title="Speech Commands v0.02: 105,829 spoken words of 35 classes (Warden 2018)",
        url="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        home="https://arxiv.org/abs/1804.03209",
        licence="CC BY 4.0",
        size="about 2.4 GB",
        # As TensorFlow Datasets and torchaudio have it.
        checksum=Checksum(
            "sha256", "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
        ),
        rows=manifests.speech_commands,
    ),
    "fsdd": Published(
        title="Free Spoken Digit Dataset: 3,000 digits by 6 speakers (Jackson and contributors)",
        url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip",
        home="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        size="about 16 MB",
        rows=manifests.fsdd,
    ),
    "urbansound8k": Published(
        title="UrbanSound8K: 8,732 urban sounds of 10 classes (Salamon et al. 2014)",
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz?download=1",
        home="https://zenodo.org/records/1203745",
        licence="CC BY-NC (3.0 in the data set, 4.0 on Zenodo)",
        size="about 6 GB",
        checksum=Checksum("md5", "9aa69802bbf37fb986f71ec1483a196e"),  # Zenodo's
        rows=manifests.urbansound8k,
    ),
    "physionet2016": Published(
        title="PhysioNet/CinC Challenge 2016: 3,240 heart sounds, normal or abnormal (Liu et al.)",
        url="https://physionet.org/files/challenge-2016/1.0.0/training.zip",
        home="https://physionet.org/content/challenge-2016/1.0.0/",
        licence="ODC-BY 1.0; not for diagnosis",
        size="about 180 MB",
        rows=manifests.physionet2016,
    ),
    "deepcrack": Published(
        title="DeepCrack: 537 photographs of cracks with masks (Liu et al. 2019)",
        url="https://github.com/yhlleo/DeepCrack/raw/master/dataset/DeepCrack.zip",
        home="https://github.com/yhlleo/DeepCrack",
        licence="non-commercial research and education only",
        rows=manifests.deepcrack,
    ),
    "deepcrack_256": Published(
        title="DeepCrack made smaller, 537 photographs of 256 x 256 (Liu et al. 2019)",
        url="https://github.com/zfsu3722/MTS-Based-Lightweight-Pavement-Crack-Detection-Model/archive/"
        "9e51319b1409da5057ea20ae7f544d421a1efc4e.zip",
        home="https://github.com/zfsu3722/MTS-Based-Lightweight-Pavement-Crack-Detection-Model",
        licence="non-commercial research and education only",
        size="about 320 MB",
        rows=manifests.deepcrack,
        inside="dataset/DeepCrack",
    ),
    "yaseen2018": Published(
        title="Heart sounds: 1,000 recordings of 5 classes (Yaseen, Son & Kwon 2018)",
        url="https://github.com/miladshiraniUCB/"
        "Classification-of-Heart-Sound-Signal-Using-Multiple-Features-/archive/"
        "072329badbb51f2095d45bb9a01ef4be74de3e91.zip",
        home="https://doi.org/10.3390/app8122344",
        licence="none stated; the article is CC BY 4.0. For research, not for diagnosis",
        size="about 70 MB",
        rows=manifests.yaseen2018,
    ),
    "crackforest": Published(
        title="CrackForest: 118 photographs of road cracks with masks (Shi et al. 2016)",
        url="https://github.com/cuilimeng/CrackForest-dataset/archive/refs/heads/master.zip",
        home="https://github.com/cuilimeng/CrackForest-dataset",
        licence="non-commercial research only",
        rows=manifests.crackforest,
        prepare=draw_masks,
    ),
}


def published(name: str) -> Published:
    if name not in CATALOGUE:
        raise UnknownName(f"there is no data set {name!r}; known are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
