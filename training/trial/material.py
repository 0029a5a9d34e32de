"""What a trial of one fold works with: embeddings by the fold's own network, made once.

The left-out clips are neither in the fold's training nor in its exam, so they can be taught, and
judge what was taught, without anybody having seen them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import getsource
from pathlib import Path

import numpy as np

from data.arrays import Floats, Integers
from data.atomic import atomic_file
from data.datasets import backgrounds
from data.datasets.backgrounds import pink
from data.datasets.dataset import LabelledClip, read_file
from data.domains.domain import AudioDomain, Domain
from data.media.audio.recording import decode
from data.media.prepare import features_of_sound
from models.bundle import PRETRAINED, Bundle, load_bundle
from models.novelty import Known
from models.runtime import OnnxModel, known_by
from models.tensors import Embeddings, Head, as_stored
from training.assess.memory_rows import numbered
from training.job.fold_predictions import KeptFold
from training.job.plan import plan_full
from training.screening.uploads import NO_UPLOADS
from training.teaching.head import LabelledEmbeddings
from training.trial import conditions
from training.trial.conditions import CONDITIONS

NOISES = 20
# How else clips are heard, and what is none.
HEARD = "".join(map(getsource, (conditions, backgrounds)))


@dataclass(frozen=True)
class TrialMaterial:
    """Left-out clips [n]: embeddings [n, D] as recorded and in other conditions, labels and
    groups; and noise [m, D] that is nothing at all. `memory` and `exam` have none of them;
    `examined` are the exam's clips themselves, where they are here."""

    bundle: Bundle
    domain: Domain  # as its file says how to teach now
    anchor: Head
    memory: LabelledEmbeddings
    exam: Embeddings
    values: Floats
    labels: Integers
    groups: Integers
    conditions: dict[str, Floats]
    noise: Floats
    examined: tuple[LabelledClip, ...] = ()

    @cached_property
    def known(self) -> Known | None:
        return known_by(self.bundle)


def material_of(
    kept: KeptFold, domain: Domain, work: Path, examined: tuple[LabelledClip, ...] = ()
) -> TrialMaterial:
    bundle, clips = kept.bundle, kept.left_out
    labels = np.array([bundle.domain.label_index(clip.label) for clip in clips], np.int64)
    asked = "".join(clip.sha256 for clip in clips)
    listed = hashlib.sha256((asked + HEARD).encode()).hexdigest()
    file = work / f"{bundle.digest[:12]}-{listed[:12]}.npz"
    if not file.is_file():
        _write(file, _embedded(bundle, clips))
    with np.load(file) as found:
        return TrialMaterial(
            bundle,
            domain,
            bundle.anchor(),
            _memory_without(bundle, {clip.sha256 for clip in clips}),
            bundle.exam(),
            found["values"],
            labels,
            numbered(clips),
            {name: found[name] for name in CONDITIONS},
            found["noises"],
            examined,
        )


def shipped_fold(domain: Domain, dataset: Path) -> KeptFold:
    """The bundle that serves from the start, and its validation groups, which it never learnt."""
    plan = plan_full(domain, dataset, NO_UPLOADS)
    held = [clip for clip, out in zip(plan.clips, plan.held_out, strict=True) if out]
    return KeptFold(load_bundle(PRETRAINED / domain.name), tuple(held))


def _memory_without(bundle: Bundle, left_out: set[str]) -> LabelledEmbeddings:
    memory = bundle.memory()
    keep = np.array([clip not in left_out for clip in memory.clip_ids])
    return LabelledEmbeddings(memory.values[keep], memory.labels[keep])


def _embedded(bundle: Bundle, clips: Sequence[LabelledClip]) -> dict[str, Floats]:
    domain, model = bundle.domain, OnnxModel(bundle)
    assert isinstance(domain, AudioDomain)
    rate_hz, rng = domain.input.sample_rate_hz, np.random.default_rng(0)

    def embed(samples: Floats) -> Floats:
        return np.asarray(model.embed(features_of_sound(samples, domain)[0])[0].mean(axis=0))

    found: dict[str, list[Floats]] = {name: [] for name in ("values", *CONDITIONS)}
    for clip in clips:
        samples = decode(read_file(clip), sample_rate_hz=rate_hz, limits=domain.limits).samples
        found["values"].append(embed(samples))
        for name, condition in CONDITIONS.items():
            found[name].append(embed(condition(samples, rate_hz, rng)))
    length = domain.input.window_samples
    noises = [embed(pink(length, rng) * np.float32(0.1)) for _ in range(NOISES)]
    return {name: as_stored(np.stack(each)) for name, each in (found | {"noises": noises}).items()}


def _write(file: Path, found: dict[str, Floats]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as out:
        np.savez(out, **found)  # type: ignore[arg-type]
