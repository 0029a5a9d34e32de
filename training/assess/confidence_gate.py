"""What the exam's count of right answers does not tell of a network that was trained anew: whether
its confidence may be trusted as the champion's was.

Both are asked the same clips, of the exam and, where their data sets are at hand, of other domains.
The challenger is refused where, by more than chance makes of so many groups,

- it calls more of the exam unknown, or
- more of the exam's answers that it asserts are wrong than the champion's share of them, or
- it asserts more of another domain's clips, if the champion asserts few of those: where it asserts
  many, they may well be of its labels, or
- the right labels' mean cross entropy rises: its confidence fits the exam worse.

A taught head is asked for its loss and what it asserts wrongly, against the anchor (`approval.py`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.arrays import Doubles, Integers
from data.datasets.sources import Example
from data.errors import ClipError, TelltaleError
from data.media.prepare import prepare
from models.bundle import Bundle
from models.runtime import OnnxModel
from models.tensors import Embeddings
from training.assess.examine import label_losses
from training.assess.gate import same_places
from training.assess.reliability import Trusted, exam_groups, foreign_clips, rises, trusted

LOSS = 0.03  # nats
UNKNOWN = 0.05  # of the exam's clips
WRONGLY_ASSERTED = 0.02
FOREIGN_ASSERTED = 0.1  # of a data set's clips
FEW = 0.2
FOREIGN_CLIPS = 60  # of each: enough to see a tenth become a third
FEWEST = 20  # of them that both can hear


@dataclass(frozen=True)
class Sitting:
    """One bundle in the exam: what it says of the clips [clips] that both have sat; `trusted` is
    None where its card does not say what is unknown and what is asserted."""

    loss: Doubles
    trusted: Trusted | None


def confidence_objections(
    challenger: Bundle, champion: Bundle | None, datasets: Path | None
) -> tuple[str, ...]:
    """In words; none without a champion, or of an exam that the two do not share."""
    if champion is None:
        return ()
    models = OnnxModel(challenger), OnnxModel(champion)
    found = _of_exam(challenger, champion, models)
    if datasets is None or not all(model.card.assert_at for model in models):
        return found
    try:
        return (
            *found,
            *_of_other_domains(models, foreign_clips(challenger.domain, datasets, FOREIGN_CLIPS)),
        )
    except (TelltaleError, OSError):  # what is wrong with another domain costs no training
        return found


def _of_exam(
    challenger: Bundle, champion: Bundle, models: tuple[OnnxModel, OnnxModel]
) -> tuple[str, ...]:
    exam, theirs = challenger.exam(), champion.exam()
    here, there = same_places(exam.clip_ids, theirs.clip_ids)
    if not len(here):
        return ()
    new = _sitting(challenger, models[0], exam, here)
    old = _sitting(champion, models[1], theirs, there)
    groups, found = exam_groups(exam)[here], list[str]()
    if new.trusted and old.trusted:
        found += _trusted_less(new.trusted, old.trusted, groups)
    if rises(new.loss, old.loss, groups, LOSS):
        found.append(
            "its confidence fits the exam worse than the champion's: the loss rises by "
            f"{new.loss.mean() - old.loss.mean():.3f}, more than the {LOSS:g} allowed"
        )
    return tuple(found)


def _trusted_less(new: Trusted, old: Trusted, groups: Integers) -> list[str]:
    found = []
    if rises(new.unknown, old.unknown, groups, UNKNOWN):
        found.append(
            f"it calls {new.unknown.sum()} of the exam's {len(groups)} clips unknown, the champion "
            f"{old.unknown.sum()}"
        )
    wrong, wrong_before = (each.asserted & ~each.right for each in (new, old))
    usual = wrong_before.sum() / max(1, old.asserted.sum())
    if rises(
        wrong - usual * new.asserted, wrong_before - usual * old.asserted, groups, WRONGLY_ASSERTED
    ):
        found.append(
            f"{wrong.sum()} of the {new.asserted.sum()} exam answers that it asserts are wrong, of "
            f"the champion's {old.asserted.sum()} it is {wrong_before.sum()}"
        )
    return found


def _sitting(bundle: Bundle, model: OnnxModel, exam: Embeddings, places: Integers) -> Sitting:
    """Of a clip that is asked about in many places, as a photograph is, the mean loss."""
    losses = label_losses(bundle.head(), exam.values, exam.labels, bundle.card.temperature)
    loss = losses.reshape(len(exam.clip_ids), -1).mean(axis=1)[places]
    found = trusted(model, exam)
    if found is None:
        return Sitting(loss, None)
    unknown, asserted, right = (
        each[places] for each in (found.unknown, found.asserted, found.right)
    )
    return Sitting(loss, Trusted(unknown, asserted, right))


def _of_other_domains(
    models: tuple[OnnxModel, OnnxModel], others: dict[str, list[Example]]
) -> list[str]:
    found = []
    for name, rows in others.items():
        answers = [tuple(_is_asserted(model, row) for model in models) for row in rows]
        heard = [place for place, pair in enumerate(answers) if None not in pair]
        if len(heard) < FEWEST:
            continue
        new, old = np.array([answers[place] for place in heard], bool).T
        groups = np.array([rows[place].group for place in heard])
        if old.mean() <= FEW and rises(new, old, groups, FOREIGN_ASSERTED):
            found.append(
                f"of {len(heard)} clips of {name}, which are of another domain, it asserts "
                f"{new.sum()}, the champion {old.sum()}"
            )
    return found


def _is_asserted(model: OnnxModel, row: Example) -> bool | None:
    """None where it is longer than this domain takes, say."""
    try:
        clip = prepare(row.path.read_bytes(), model.card.domain)
    except ClipError:
        return None
    return bool(model.answer([clip])[0].asserted)
