"""What a model says of recordings on which nothing happens: silence, hiss, rumble, mains hum."""

from dataclasses import dataclass

import numpy as np

from data.datasets.backgrounds import backgrounds
from data.domains.domain import AudioDomain
from data.media.prepare import prepare_samples
from models.bundle import Bundle
from models.runtime import Model, OnnxModel

OF_EACH = 4
SEED = 2  # others than those that a bundle remembers
LEVELS_DBFS = (-20.0, -35.0, -50.0, -65.0)


@dataclass(frozen=True)
class BackgroundAnswers:
    clips: int
    hours: float
    unknown: int
    asserted: tuple[str, ...]  # the labels

    @property
    def asserted_per_hour(self) -> float:
        return len(self.asserted) / self.hours


def ask_backgrounds(model: Model) -> BackgroundAnswers | None:
    """None of a domain that sees."""
    domain = model.card.domain
    if not isinstance(domain, AudioDomain):
        return None
    length = domain.input.window_samples
    made = backgrounds(length, domain.input.sample_rate_hz, OF_EACH, SEED)
    sounds = [
        samples * np.float32(10 ** (LEVELS_DBFS[place % len(LEVELS_DBFS)] / 20))
        for place, samples in enumerate(made)
    ]
    sounds.append(np.zeros(length, np.float32))
    found = [model.answer([prepare_samples(samples, domain)])[0] for samples in sounds]
    return BackgroundAnswers(
        clips=len(found),
        hours=len(found) * domain.input.window_s / 3600,
        unknown=sum(each.unknown for each in found),
        asserted=tuple(model.labels[each.best] for each in found if each.asserted),
    )


def asserts_more(bundle: Bundle, champion: Bundle | None) -> tuple[str, ...]:
    """What the gate has to object, in words. Without a champion it objects to nothing: a label may
    be for just such sounds, the hum of a kettle."""
    found = ask_backgrounds(OnnxModel(bundle)) if champion else None
    if champion is None or found is None or not found.asserted:
        return ()
    before = ask_backgrounds(OnnxModel(champion))
    if before is None or len(found.asserted) <= len(before.asserted):
        return ()
    labels = ", ".join(sorted(set(found.asserted)))
    return (
        f"of {found.clips} recordings on which nothing happens (silence, hiss, rumble, hum) it "
        f"asserts {len(found.asserted)} ({labels}), the champion {len(before.asserted)}",
    )
