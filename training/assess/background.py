"""What a model says of recordings on which nothing happens: silence, hiss, rumble, mains hum."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv

from data.arrays import Floats
from data.datasets.backgrounds import backgrounds
from data.domains.domain import AudioDomain
from data.domains.sections import AudioInput
from data.media.prepare import prepare_samples
from models.bundle import Bundle
from models.runtime import Model, OnnxModel

OF_EACH = 4
SEED = 2  # others than those that a bundle remembers
OF_A_TEACH = 1  # asserted, whatever the champion asserts: a right correction may lie near one
LEVELS_DBFS = (-20.0, -35.0, -50.0, -65.0)


@dataclass(frozen=True)
class BackgroundAnswers:
    clips: int
    hours: float
    unknown: int
    asserted: tuple[str, ...]  # the labels
    embeddings: Floats  # [asserted, D]

    @property
    def asserted_per_hour(self) -> float:
        return len(self.asserted) / self.hours

    @property
    def most_per_hour(self) -> float:
        """The exact upper 95 % bound of a Poisson rate: three in all where there was none."""
        return float(gammaincinv(len(self.asserted) + 1, 0.95)) / self.hours


@lru_cache(maxsize=8)
def background_sounds(spec: AudioInput) -> tuple[Floats, ...]:
    """As long as a domain's window. Half a second of CPU: a process that teaches again and again
    makes them before it forks."""
    made = backgrounds(spec.window_samples, spec.sample_rate_hz, OF_EACH, SEED)
    sounds = [
        samples * np.float32(10 ** (LEVELS_DBFS[place % len(LEVELS_DBFS)] / 20))
        for place, samples in enumerate(made)
    ]
    return (*sounds, np.zeros(spec.window_samples, np.float32))


def ask_backgrounds(model: Model) -> BackgroundAnswers | None:
    """None of a domain that sees. The rest label is right of them, and counts as not asserted."""
    domain = model.card.domain
    if not isinstance(domain, AudioDomain):
        return None
    clips = [prepare_samples(samples, domain) for samples in background_sounds(domain.input)]
    found = [model.answer([clip])[0] for clip in clips]
    asserted = [
        each for each in found if each.asserted and model.labels[each.best] != domain.rest_label
    ]
    return BackgroundAnswers(
        clips=len(found),
        hours=len(found) * domain.input.window_s / 3600,
        unknown=sum(each.unknown for each in found),
        asserted=tuple(model.labels[each.best] for each in asserted),
        embeddings=np.array([each.embedding for each in asserted], np.float32),
    )


def asserts_more(bundle: Bundle, champion: Bundle | None, allowed: int = 0) -> tuple[str, ...]:
    """What the gate has to object to more than are `allowed`, in words. Without a champion it
    objects to nothing: a label may be for just such sounds, the hum of a kettle."""
    found = ask_backgrounds(OnnxModel(bundle)) if champion else None
    if champion is None or found is None or len(found.asserted) <= allowed:
        return ()
    before = ask_backgrounds(OnnxModel(champion))
    if before is None or len(found.asserted) <= len(before.asserted):
        return ()
    labels = ", ".join(sorted(set(found.asserted)))
    return (
        f"of {found.clips} recordings on which nothing happens (silence, hiss, rumble, hum) it "
        f"asserts {len(found.asserted)} ({labels}), the champion {len(before.asserted)}",
    )
