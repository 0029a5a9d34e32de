"""log_mel_means.py: a label's mean is over the frames of all its clips, of recordings alone."""

import numpy as np

from data.domains.domain import load_domains
from training.assess.log_mel_means import LogMelMeans

DOMAINS = load_domains()


def test_long_clips_count_by_their_frames() -> None:
    domain = DOMAINS["keywords"]
    means = LogMelMeans(domain)
    short, long = (
        np.full((1, 40, frames), value, np.float32) for frames, value in ((1, 0), (3, 4))
    )
    means.add("one", short)
    means.add("one", long)
    means.add("two", np.full((1, 40, 5), np.log(1e-6), np.float32))
    assert means.card_field() == {"one": [3.0] * 40}


def test_photographs_have_none() -> None:
    means = LogMelMeans(DOMAINS["cracks"])
    means.add("crack", np.zeros((1, 3, 8, 8), np.float32))
    assert means.card_field() is None
