"""A trained network -> a bundle: exported, embedded, calibrated, examined, written.

The order matters. Memory and exam are embedded by the exported network, the one that will serve,
through the same way from bytes to features. Temperature and limits come from what models of folds
said, where a bundle of the same recipe carries that, otherwise from validation clips.
The exam is scored last, once, and from embeddings as they are stored, so that whoever opens the
bundle finds the figures of its card again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.arrays import Floats
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import Domain
from data.media.audio.log_mel_means import LogMelMeans
from data.media.prepare import prepare
from data.quality.fingerprints import fingerprints_of
from models.bundle import Bundle, write_bundle
from models.card import (
    BACKBONE,
    EXAM,
    FINGERPRINTS,
    HEAD,
    MEMORY,
    OTHERS,
    OUT_OF_FOLD,
    WEIGHTS,
)
from models.export import OnnxBackbone, export_backbone, weights_bytes
from models.networks.backbone import backbone_of
from models.networks.kinds import build_classifier, count_parameters
from models.tensors import (
    Embeddings,
    Head,
    Probe,
    as_stored,
    exam_bytes,
    fingerprint_bytes,
    fold_answer_bytes,
    head_bytes,
    memory_bytes,
    others_bytes,
)
from training.assess.bank_facts import bank_facts
from training.assess.calibration.calibrate import calibrate, validation
from training.assess.calibration.out_of_fold import FoldCalibration, carried, figures_of
from training.assess.calibration.thresholds import finished_head, mask_figures
from training.assess.examine import exam_metrics
from training.assess.memory_rows import numbered, row_labels, rows_of
from training.fitting.learner import State
from training.job.other_sounds import absent, other_sounds
from training.job.plan import Plan
from training.job.provenance import Origin


def build_bundle(
    domain: Domain,
    plan: Plan,
    weights: State,
    read: Reader,
    origin: Origin,
    folder: Path,
    before: Sequence[Bundle] = (),
) -> Bundle:
    classifier = build_classifier(domain)
    classifier.load_state_dict(weights)
    model = export_backbone(classifier.backbone, domain)
    backbone = OnnxBackbone(model)
    # The data set's clips come first: teaching tells them from uploads by their number.
    order = sorted(range(len(plan.clips)), key=lambda place: plan.clips[place].path is None)
    means = LogMelMeans(domain)
    memory = embed_clips(
        [plan.clips[place] for place in order], backbone, read, domain, heard=means.add
    )
    exam = replace(embed_clips(plan.exam, backbone, read, domain), groups=numbered(plan.exam))
    head = Head(
        classifier.head.weight.detach().numpy().copy(), classifier.head.bias.detach().numpy().copy()
    )
    unlearnt = [clip for clip, held in zip(plan.clips, plan.held_out, strict=True) if held]
    head = finished_head(head, unlearnt, backbone, read, domain)
    groups = [plan.clips[place].group for place in order]
    others = other_sounds(domain, backbone)
    folds = inherited(before, domain, plan.clips)
    held_out = validation(domain, head, memory, plan.held_out[order], groups, others)
    calibration = calibrate(domain, held_out, folds.answers if folds else None)
    fields: dict[str, Any] = {
        "domain": domain,
        "labels": domain.labels,
        "network": {
            **domain.network.model_dump(),
            "parameters": count_parameters(classifier),
        },
        **calibration,
        "metrics": {
            "exam": exam_metrics(domain, head, calibration["temperature"], exam),
            "masks": mask_figures(head, plan.exam, backbone, read, domain),
            "out_of_fold": figures_of(folds, domain) if folds else None,
        },
        "split": {
            "train": int(np.sum(~plan.held_out)),
            "validation": int(np.sum(plan.held_out)),
            "exam": len(plan.exam),
        },
        **origin.card_fields(domain),
    }
    fields["training"] |= {
        "log_mel_means": means.card_field(),
        "other_sounds": bank_facts(domain, len(others), absent(domain)),
    }
    files: dict[str, bytes | Path] = {
        BACKBONE: model,
        HEAD: head_bytes(head),
        WEIGHTS: weights_bytes(classifier.backbone),
        MEMORY: memory_bytes(memory),
        EXAM: exam_bytes(exam, _probe(plan.exam[0], backbone, read, domain)),
        FINGERPRINTS: fingerprint_bytes(fingerprints_of(plan.exam, read, domain)),
    }
    if len(others):
        files[OTHERS] = others_bytes(others)
    if folds:
        files[OUT_OF_FOLD] = fold_answer_bytes(folds.answers)
    return write_bundle(folder, card_fields=fields, files=files)


def inherited(
    before: Sequence[Bundle], domain: Domain, clips: Sequence[LabelledClip]
) -> FoldCalibration | None:
    """What the first of these bundles carries that was made by the same recipe from the same
    backbone beside the same sounds: how far such models may be trusted does not change with each
    training. Unless it tells of at least half of the clips, it tells of something else."""
    backbone = backbone_of(domain)
    start = backbone.sha256 if backbone else None
    label_of = {clip.sha256: clip.label for clip in clips}
    for bundle in before:
        if learns_alike(bundle.domain, domain) and _start_of(bundle) == start:
            found = carried(bundle, label_of)
            if found and 2 * len(found.answers.labels) >= len(clips):
                return found
    return None


def learns_alike(ours: Domain, theirs: Domain) -> bool:
    beside = [each.model_dump(include={"other_sounds"}) for each in (ours, theirs)]
    return ours.recipe_digest == theirs.recipe_digest and beside[0] == beside[1]


def _start_of(bundle: Bundle) -> str | None:
    return (bundle.card.training.backbone or {}).get("sha256")


def embed_clips(
    clips: Sequence[LabelledClip],
    backbone: OnnxBackbone,
    read: Reader,
    domain: Domain,
    heard: Callable[[str, Floats], None] = lambda label, features: None,
) -> Embeddings:
    """`heard` is told of each clip's label and features."""
    values, labels = [], []
    for clip in clips:
        features = prepare(read(clip), domain).features
        heard(clip.label, features)
        values.append(rows_of(features, backbone(features), domain))
        labels.append(row_labels(clip, read, domain))
    ids = tuple(clip.sha256 for clip in clips)
    return Embeddings(as_stored(np.concatenate(values)), np.concatenate(labels), ids)


def _probe(clip: LabelledClip, backbone: OnnxBackbone, read: Reader, domain: Domain) -> Probe:
    """The first window of a clip, or one as large in the corner of a photograph."""
    features: Floats = prepare(read(clip), domain).features
    probe = np.zeros((1, *domain.window), np.float32)
    part = tuple(map(slice, np.minimum(probe.shape, features.shape)))
    probe[part] = features[part]
    return Probe(probe, backbone(probe)[0][0])
