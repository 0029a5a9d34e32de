"""What the exam's count of right answers does not tell of a network that was trained anew: whether
its confidence may be trusted as the champion's was.

Both are asked the same clips, of the exam and, where their data sets are at hand, of other domains,
which it has no label for. The challenger is refused where, by more than chance makes of so many
groups,

- it calls more of the exam unknown, or
- more of its exam answers are asserted and wrong, or
- it asserts more of what belongs to another domain, or
- the right labels' mean cross entropy rises: its confidence fits the exam worse.

Of a taught head `approval.py` asks the like, against the anchor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.arrays import Doubles, Integers
from data.datasets.sources import Example
from data.errors import ClipError
from data.media.prepare import prepare
from models.bundle import Bundle
from models.runtime import OnnxModel
from models.tensors import Embeddings
from training.assess.examine import label_losses
from training.assess.reliability import exam_groups, foreign_clips, rises, trusted

LOSS = 0.03  # nats
UNKNOWN = 0.05  # of the exam's clips
WRONGLY_ASSERTED = 0.02
FOREIGN_ASSERTED = 0.1  # of a data set's clips
FOREIGN_CLIPS = 60  # of each: enough to see a tenth become a third


@dataclass(frozen=True)
class Confidence:
    """What a bundle says of its exam's clips, [clips] each."""

    unknown: Doubles
    wrongly_asserted: Doubles
    loss: Doubles


def confidence_objections(
    challenger: Bundle, champion: Bundle | None, datasets: Path | None
) -> tuple[str, ...]:
    """In words; none without a champion, or of an exam that the two do not share."""
    if champion is None:
        return ()
    return (
        *_of_exam(challenger, champion),
        *_of_other_domains(challenger, champion, datasets),
    )


def _of_exam(challenger: Bundle, champion: Bundle) -> tuple[str, ...]:
    exam, theirs = challenger.exam(), champion.exam()
    places = {clip: place for place, clip in enumerate(theirs.clip_ids)}
    pairs = [(i, places[clip]) for i, clip in enumerate(exam.clip_ids) if clip in places]
    if not pairs:
        return ()
    here, there = (np.array(each) for each in zip(*pairs, strict=True))
    new, old = _confidence(challenger, exam, here), _confidence(champion, theirs, there)
    groups, found = exam_groups(exam)[here], []
    if rises(new.unknown, old.unknown, groups, UNKNOWN):
        found.append(
            f"it calls {new.unknown.sum():.0f} of the exam's {len(pairs)} clips unknown, the "
            f"champion {old.unknown.sum():.0f}"
        )
    if rises(new.wrongly_asserted, old.wrongly_asserted, groups, WRONGLY_ASSERTED):
        found.append(
            f"{new.wrongly_asserted.sum():.0f} of the exam's answers are asserted and wrong, "
            f"{old.wrongly_asserted.sum():.0f} were before"
        )
    if rises(new.loss, old.loss, groups, LOSS):
        found.append(
            "its confidence fits the exam worse than the champion's: the loss rises by "
            f"{new.loss.mean() - old.loss.mean():.3f}, more than the {LOSS:g} allowed"
        )
    return tuple(found)


def _confidence(bundle: Bundle, exam: Embeddings, places: Integers) -> Confidence:
    """Of the exam's clips at these places. Of a clip that is asked about in many, as a photograph
    is, only the loss is told: nothing of it is unknown or asserted."""
    losses = label_losses(bundle.head(), exam.values, exam.labels, bundle.card.temperature)
    loss = losses.reshape(len(exam.clip_ids), -1).mean(axis=1)[places]
    found = trusted(OnnxModel(bundle), exam)
    if found is None:
        return Confidence(np.zeros_like(loss), np.zeros_like(loss), loss)
    wrong = found.asserted & ~found.right
    return Confidence(
        found.unknown[places].astype(np.float64), wrong[places].astype(np.float64), loss
    )


def _of_other_domains(
    challenger: Bundle, champion: Bundle, datasets: Path | None
) -> tuple[str, ...]:
    if datasets is None or not (challenger.card.assert_at and champion.card.assert_at):
        return ()
    found = []
    for name, rows in foreign_clips(challenger.domain, datasets, FOREIGN_CLIPS).items():
        new, old = (_asserted(OnnxModel(bundle), rows) for bundle in (challenger, champion))
        groups = np.unique([row.group for row in rows], return_inverse=True)[1]
        if rises(new, old, groups, FOREIGN_ASSERTED):
            found.append(
                f"of {len(rows)} clips of {name}, which are of another domain, it asserts "
                f"{new.sum():.0f}, the champion {old.sum():.0f}"
            )
    return tuple(found)


def _asserted(model: OnnxModel, rows: Sequence[Example]) -> Doubles:
    """1 for each clip [N] that is asserted, also to be of the label that is for the rest: what is
    of another domain is no sound of a machine that is well."""
    return np.array([float(_is_asserted(model, row)) for row in rows])


def _is_asserted(model: OnnxModel, row: Example) -> bool:
    try:
        clip = prepare(row.path.read_bytes(), model.card.domain)
    except ClipError:  # longer than this domain takes, say
        return False
    return bool(model.answer([clip])[0].asserted)
