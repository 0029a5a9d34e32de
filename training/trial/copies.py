"""Copies of the exam's clips as people would send them: other codecs, half as loud, cut.

What was taught such copies would be judged by what it has learnt, so screening must know them.
"""

from collections.abc import Callable

import numpy as np

from data.arrays import Floats
from data.datasets.dataset import read_file
from data.domains.domain import AudioDomain
from data.media.audio.recording import decode, encoded
from data.quality.fingerprints import is_copy, kind_of
from training.trial.material import TrialMaterial

COPIED = 40  # clips of the exam
TRIMMED_S = 0.05


COPIES: dict[str, Callable[[Floats, int], bytes]] = {
    "OGG": lambda samples, rate_hz: encoded(samples, rate_hz, "OGG", "VORBIS"),
    "MP3": lambda samples, rate_hz: encoded(samples, rate_hz, "MP3", "MPEG_LAYER_III"),
    "-6 dB": lambda samples, rate_hz: encoded(samples * np.float32(0.5), rate_hz),
    "50 ms trimmed": lambda samples, rate_hz: encoded(samples[int(TRIMMED_S * rate_hz) :], rate_hz),
}


def exam_copies(material: TrialMaterial, rng: np.random.Generator) -> dict[str, list[float]]:
    """1 for each copy that screening refuses; nothing where the bundle has no fingerprints, or the
    exam's clips are not here, as those of a fold."""
    domain, prints = material.domain, material.bundle.exam_fingerprints()
    if prints is None or not isinstance(domain, AudioDomain):
        return {}
    found: dict[str, list[float]] = {}
    for place in rng.permutation(len(material.examined))[:COPIED]:
        heard = decode(
            read_file(material.examined[place]),
            sample_rate_hz=domain.input.sample_rate_hz,
            limits=domain.limits,
        ).samples
        for name, copied in COPIES.items():
            copy = kind_of(domain).make(copied(heard, domain.input.sample_rate_hz), domain)
            refused = float(is_copy(copy, prints, domain))
            found.setdefault("exam copies: refused", []).append(refused)
            found.setdefault(f"exam copies, {name}: refused", []).append(refused)
    return found
