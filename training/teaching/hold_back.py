"""After a refusal: the corrections it is owed to wait for a person, and the others are learnt.

Without this one bad batch would block all later learning, since every teach fits all accepted
corrections again.
"""

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from data.errors import UnknownName
from training.job.inputs import as_remembered
from training.job.plan import Refusal
from training.job.run import Challenger, Material, RetrainRun
from training.teaching.corrections import corrections_of
from training.teaching.head import LabelledEmbeddings
from training.teaching.suspects import influences
from training.teaching.teach import pull_of, without_uploads

ATTEMPTS = 2

HARMS = (
    "held back: with it the model does worse on what it had learnt before (loss {influence:+.3f} a "
    "clip); accept it again if it is right"
)
STILL_WORSE = (
    "held back: a model that learnt it and what came with it was refused, and no clip among them "
    "stands out; accept it again if it is right"
)


def held_back(
    run: RetrainRun, material: Material, refused: Challenger, attempt: int
) -> list[Refusal]:
    """Those that harm the rest. If none does, or after ATTEMPTS, all that the champion had not
    learnt yet."""
    champion, uploads = material.champion, material.uploads
    assert champion is not None, "only what is taught on a champion is blamed on corrections"
    new = ~np.array(as_remembered(uploads, champion), bool)
    if attempt > ATTEMPTS:
        return _refusals(material, new.astype(np.float64), STILL_WORSE)
    anchor = champion.bundle.anchor()
    corrections = corrections_of(uploads, anchor.weight.shape[1])
    remembered = without_uploads(champion, [clip.sha256 for clip in uploads.clips])
    harm = influences(
        anchor,
        LabelledEmbeddings(remembered.values, remembered.labels),
        corrections,
        np.repeat(new, corrections.rows),
        run.domain.teach,
        run.domain.training.label_smoothing,
        pull_of(refused.bundle),
    ).reshape(len(new), -1)[:, 0]
    return _refusals(material, harm) or _refusals(material, new.astype(np.float64), STILL_WORSE)


def _refusals(material: Material, harm: NDArray[np.float64], reason: str = HARMS) -> list[Refusal]:
    return [
        Refusal(clip.sha256, clip.label, reason.format(influence=influence), for_good=False)
        for clip, influence in zip(material.uploads.clips, harm.tolist(), strict=True)
        if influence > 0
    ]


def quarantine(run: RetrainRun, held: list[Refusal]) -> None:
    """They wait for a person, who sees why; their receipts wait with them."""
    run.progress.held_back(held)
    for refusal in held:
        with suppress(UnknownName):  # forgotten meanwhile
            run.store.clips.set_state(
                run.domain.name,
                refusal.sha256,
                "quarantined",
                who=run.progress.who,
                reason=refusal.reason,
            )
