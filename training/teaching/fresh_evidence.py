"""Is what was taught worth more than the last full training, on clips that neither has learnt?

Each new correction is asked of both heads before it is learnt. The evidence is an e-process (Ramdas
et al. 2023, "Game-theoretic statistics and safe anytime-valid inference"): a bet on the taught head
whose worth is at most 1 in the mean while that head is no better, however often one looks; at 20
the doubt is 5 %. People correct mostly what the taught head got wrong, so it is judged harshly, and
the evidence is told beside a verdict but never refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from models.tensors import Head
from training.teaching.head import LabelledEmbeddings

STAKE = 0.5


@dataclass(frozen=True)
class FreshEvidence:
    """`worth` is that of a bet of 1 on the taught head. What was held back is not counted."""

    clips: int = 0
    taught_right: int = 0
    anchor_right: int = 0
    worth: float = 1.0

    @property
    def sentence(self) -> str:
        return (
            f"of {self.clips} corrections, asked before they were learnt, what was taught by then "
            f"had {self.taught_right} right and the last full training {self.anchor_right} "
            f"(evidence for teaching: {self.worth:.3g} to 1)"
        )


def added(
    before: FreshEvidence, taught: Head, anchor: Head, corrections: LabelledEmbeddings
) -> FreshEvidence:
    """With what both heads answer to corrections that are new to them; a group is one bet."""
    labels = corrections.labels
    if not len(labels):
        return before
    at = np.arange(len(labels)), labels
    values = corrections.values.astype(np.float32)
    scores = [softmax(head.logits(values).astype(np.float64), axis=1) for head in (taught, anchor)]
    edge = scores[0][at] - scores[1][at]
    bets = [edge[corrections.group_of == group].mean() for group in np.unique(corrections.group_of)]
    rows = corrections.rows
    right = [round(float(np.sum(each.argmax(axis=1) == labels)) / rows) for each in scores]
    return FreshEvidence(
        before.clips + len(labels) // rows,
        before.taught_right + right[0],
        before.anchor_right + right[1],
        before.worth * float(np.prod(1 + STAKE * np.array(bets))),
    )


def read_evidence(facts: Mapping[str, object]) -> FreshEvidence:
    """Of a card's facts of training; none on older cards, and after a full training."""
    kept = facts.get("fresh_evidence")
    return FreshEvidence(**kept) if isinstance(kept, dict) else FreshEvidence()
