"""What the exam's count of right answers does not tell of a taught head: the approval policy.

A gate that compares each version with the last, and lets pass what is "merely not worse", lets a
model creep downwards (Feng, Emerson & Simon 2019, arXiv 1912.12413). So a taught head is compared
with the anchor, the head of the last full training, too: the losses allowed in `gate` are one
budget for all teaches together. It is moreover asked, in the mean cross entropy of right labels,
which tells of harm long before an answer changes:

- what it has kept of the clips remembered from training: the loss may rise by MEMORY_LOSS and
  MEMORY_SHARE of what it was, and by MEMORY_LOSS_A_CLIP for each clip that was learnt; these are of
  TYPICAL remembered clips, for the more there are, the less one correction weighs. On validation
  groups of faults and hearts, 1 to 20 right corrections, of other microphones, rooms and noise too,
  stay within it; of wrong ones most do not: twelve of one label rise by 0.05 to 0.13, one alone by
  0.004 to 0.012.
- how well its confidence fits the exam: the loss may rise by EXAM_LOSS at most, where the exam's
  groups are sure of it.
- how many answers it asserts that are wrong: no more than WRONGLY_ASSERTED above the anchor's.
"""

from dataclasses import dataclass

import numpy as np

from data.arrays import Doubles, Floats
from models.bundle import Bundle
from models.calibration import softmax
from models.card import Card
from models.novelty import Known
from models.tensors import Embeddings, Head
from training.assess.examine import answers_of, label_losses
from training.assess.gate import Verdict, judge
from training.assess.reliability import exam_groups, rises

MEMORY_LOSS = 0.005
MEMORY_LOSS_A_CLIP = 0.001
MEMORY_SHARE = 0.02
TYPICAL = 350
EXAM_LOSS = 0.03
WRONGLY_ASSERTED = 0.01  # of the exam's rows, and one more


@dataclass(frozen=True)
class TaughtHead:
    """A challenger beside the champion and the anchor, all on one backbone; `memory` are the clips
    of the data set that it remembers, `known` tells which clips are not unknown to it. The
    corrections that it learnt count as `learnt` clips in all, and as `new` of which the champion
    had not learnt yet."""

    head: Head
    champion: Head
    anchor: Head
    memory: Embeddings
    exam: Embeddings
    card: Card
    learnt: float
    new: float
    known: Known | None


def approve(taught: TaughtHead) -> Verdict:
    """By right answers of the exam (`gate.py`), and by the losses above."""
    heads = (taught.head, taught.champion, taught.anchor)
    head, champion, anchor = (answers_of(each, taught.exam) for each in heads)
    card = taught.card
    verdict = judge(head, champion, card.labels, card.domain.gate, anchor)
    worse = (
        *_forgets(taught, taught.champion, taught.new, "the champion"),
        *_forgets(taught, taught.anchor, taught.learnt, "the last full training"),
        *_less_sure(taught),
        *_asserts_more_wrongly(taught),
    )
    return Verdict(verdict.promoted and not worse, (*verdict.reasons, *worse))


def of_dataset(bundle: Bundle) -> Embeddings:
    """Of what a bundle remembers, the clips of the data set, which come first."""
    memory, facts = bundle.memory(), bundle.card.training.model_dump()
    clips = int(facts.get("from_dataset", len(memory.clip_ids)))
    rows = clips * (len(memory.values) // max(1, len(memory.clip_ids)))
    return Embeddings(memory.values[:rows], memory.labels[:rows], memory.clip_ids[:clips])


def losses(head: Head, kept: Embeddings, temperature: float = 1.0) -> Doubles:
    """The cross entropy of each row's right label [N]."""
    return label_losses(head, kept.values, kept.labels, temperature)


def _forgets(taught: TaughtHead, before: Head, learnt: float, whose: str) -> tuple[str, ...]:
    head, memory = taught.head, taught.memory
    if not len(memory.labels):
        return ()
    was = float(np.mean(losses(before, memory)))
    rise = float(np.mean(losses(head, memory))) - was
    fewer = TYPICAL / len(memory.clip_ids)
    allowed = MEMORY_LOSS * max(1.0, 2 * fewer - 1) + MEMORY_SHARE * was
    allowed += MEMORY_LOSS_A_CLIP * fewer * learnt
    if rise <= allowed:
        return ()
    right, kept = (
        each.logits(memory.values).argmax(axis=1) == memory.labels for each in (before, head)
    )
    return (
        f"it forgets: the loss on {len(memory.clip_ids)} clips of training rises by {rise:.3f} "
        f"against {whose}, more than the {allowed:.3f} allowed for corrections that count as "
        f"{learnt:.3g} ({np.sum(right & ~kept)} of {np.sum(right)} right answers are lost)",
    )


def _less_sure(taught: TaughtHead) -> tuple[str, ...]:
    exam, temperature = taught.exam, taught.card.temperature
    after, before = (
        losses(head, exam, temperature).reshape(len(exam.clip_ids), -1).mean(axis=1)
        for head in (taught.head, taught.anchor)
    )
    most = EXAM_LOSS * max(1.0, TYPICAL / max(1, len(taught.memory.clip_ids)))
    if not rises(after, before, exam_groups(exam), most):
        return ()
    return (
        f"its confidence fits the exam worse than that of the last full training: the loss rises "
        f"by {after.mean() - before.mean():.3f}, more than the {most:.3g} allowed",
    )


def _asserts_more_wrongly(taught: TaughtHead) -> tuple[str, ...]:
    exam, card = taught.exam, taught.card
    if not card.assert_at:
        return ()
    after, before = (wrongly_asserted(each, taught) for each in (taught.head, taught.anchor))
    if after <= before + 1 + WRONGLY_ASSERTED * len(exam.labels):
        return ()
    return (f"{after} of the exam's answers are asserted and wrong, {before} were before",)


def wrongly_asserted(head: Head, taught: TaughtHead) -> int:
    """As `models/runtime.py` asserts, but for recordings that are too quiet."""
    exam, card = taught.exam, taught.card
    probabilities = softmax(head.logits(exam.values) / np.float32(card.temperature))
    best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    least = np.array(card.least_confidences)[best]
    wrong = np.flatnonzero((confidence >= least) & (best != exam.labels))
    return sum(_is_known(taught, exam.values[row], best[row], confidence[row]) for row in wrong)


def _is_known(taught: TaughtHead, embedding: Floats, label: int, confidence: float) -> bool:
    if taught.known is None:
        return bool(confidence >= taught.card.unknown_threshold)
    return taught.known.why_unknown(embedding, label) is None
