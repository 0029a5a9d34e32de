"""After a refusal: the corrections that caused it go into quarantine, and the others are learnt.

Without this one bad batch would block all later learning, since every teach fits all accepted
corrections again. A clip that a person accepts again is left to full trainings, unless he gives it
another label.
"""

import numpy as np

from data.arrays import Bools, Doubles
from data.store.review.flags import Found
from models.novelty import Remembered
from models.runtime import OnnxModel
from training.assess.background import BackgroundAnswers, ask_backgrounds
from training.job.run import Challenger, Material, RetrainRun
from training.screening.uploads import Refusal
from training.teaching.corrections import corrections_of, new_rows
from training.teaching.head import LabelledEmbeddings
from training.teaching.influence import ATTEMPTS, RefusedFit, harmful_rows
from training.teaching.teach import pull_of, without_uploads

HARMS = (
    "held back: with it the model does worse on what it had learnt before (loss {influence:+.3f} a "
    "clip); accepted again, it is left to a full training"
)
LIKE_NOTHING = (
    "held back: it is as like a recording on which nothing happens as anything called {label} is; "
    "accepted again, it is left to a full training"
)
STILL_WORSE = (
    "held back: a model that learnt it and what came with it was refused, and no clip among them "
    "stands out; accepted again, it is left to a full training"
)


def harmful_corrections(
    run: RetrainRun, material: Material, refused: Challenger, by_clips: bool, attempt: int
) -> list[Refusal]:
    """See `harmful_rows`, and `like_backgrounds` where no clip of training objects; nothing without
    corrections."""
    champion, uploads = material.champion, material.uploads
    assert champion is not None, "only what is taught on a champion is blamed on corrections"
    if not uploads.clips:
        return []
    run.progress.step("suspects", "Looking for corrections that do harm", 0.93)
    anchor = champion.bundle.anchor()
    corrections = corrections_of(uploads, anchor.weight.shape[1])
    remembered = without_uploads(champion, [clip.sha256 for clip in uploads.clips])
    fit = RefusedFit(
        anchor,
        LabelledEmbeddings(remembered.values, remembered.labels),
        corrections,
        new_rows(uploads, champion),
        run.domain.teach,
        run.domain.training.label_smoothing,
        pull_of(refused.bundle),
    )
    if by_clips:
        return _refusals(material, harmful_rows(fit, attempt)[:: corrections.rows])
    found = ask_backgrounds(OnnxModel(refused.bundle)) if attempt <= ATTEMPTS else None
    near = like_backgrounds(fit, found, refused.bundle.labels) if found else np.zeros(0, bool)
    if near.any():
        return [
            Refusal(clip.sha256, clip.label, LIKE_NOTHING.format(label=clip.label), for_good=False)
            for clip, is_near in zip(uploads.clips, near[:: corrections.rows], strict=True)
            if is_near
        ]
    return _refusals(material, np.where(fit.new, np.inf, 0.0)[:: corrections.rows])


def like_backgrounds(
    refused: RefusedFit, found: BackgroundAnswers, labels: tuple[str, ...]
) -> Bools:
    """Which new corrections [n] taught that a background is of a label: of that label those that
    lie nearer to it than whatever training has of it; at least the nearest."""
    near = np.zeros(len(refused.new), bool)
    memory, corrections = (
        Remembered(each.values.astype(np.float32), each.labels, len(labels))
        for each in (refused.memory, refused.corrections)
    )
    for name, embedding in zip(found.asserted, found.embeddings, strict=True):
        label = labels.index(name)
        places = corrections.places[label]
        far = np.where(refused.new[places], corrections.distances(embedding, label), np.inf)
        least = max(memory.distance(embedding, label), far.min(initial=np.inf))
        near[places[(far <= least) & refused.new[places]]] = True
    return near


def _refusals(material: Material, influence: Doubles) -> list[Refusal]:
    """Of the clips with an influence [clips] above 0."""
    return [
        Refusal(
            clip.sha256,
            clip.label,
            STILL_WORSE if np.isinf(harm) else HARMS.format(influence=harm),
            for_good=False,
        )
        for clip, harm in zip(material.uploads.clips, influence.tolist(), strict=True)
        if harm > 0
    ]


def quarantine_harmful(run: RetrainRun, held: list[Refusal]) -> None:
    """They wait for a person, who sees why; their receipts wait with them."""
    run.progress.held_back(held)
    domain, who = run.domain.name, run.progress.who
    flags: list[Found] = [
        (each.sha256, "harm", each.reason, 1.0)
        for each in held
        if run.store.clips.hold_back(domain, each.sha256, each.label, who=who, reason=each.reason)
    ]
    run.store.flags.add(domain, flags, who=who)
