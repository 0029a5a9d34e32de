"""A model that is taught again and again, judged as a retrain judges it, without a service; but
for what it says while nothing happens, which takes sounds to ask."""

from dataclasses import dataclass, field

import numpy as np

from data.arrays import Bools, Floats, Integers
from models.tensors import Embeddings, Head
from training.assess.approval import TaughtHead, approve
from training.assess.gate import Verdict
from training.teaching.head import FittedHead, LabelledEmbeddings, chosen_fit, full_clips
from training.teaching.influence import RefusedFit, harmful_rows
from training.trial.material import TrialMaterial


@dataclass(frozen=True)
class Batch:
    """What somebody sends at once: embeddings [n, D], the labels he says, and their groups."""

    values: Floats
    labels: Integers
    groups: Integers
    sender: int = 0


@dataclass
class TeachLoop:
    """`kept` are the corrections that have not been held back, `champion` what was promoted last
    and `learnt` [kept] which of the corrections that one has learnt."""

    material: TrialMaterial
    champion: Head
    kept: list[Batch] = field(default_factory=list)
    learnt: Bools = field(default_factory=lambda: np.zeros(0, bool))

    def teach(self, batch: Batch) -> bool:
        """One clip a batch in `kept`; whether any of these was promoted."""
        places = range(len(batch.labels))
        self.kept += [
            Batch(
                batch.values[[i]],
                batch.labels[[i]],
                batch.groups[[i]],
                batch.sender,
            )
            for i in places
        ]
        self.learnt = np.append(self.learnt, np.zeros(len(batch.labels), bool))
        attempts = 0
        while len(self.kept) and not self.learnt.all():
            fitted = self._fitted()
            if self._verdict(fitted.head).promoted:
                self.champion, self.learnt = fitted.head, np.ones(len(self.kept), bool)
                return True
            attempts += 1
            self._hold_back(fitted, attempts)
        return False

    @property
    def corrections(self) -> LabelledEmbeddings:
        """Copies of a clip, which sound alike to the byte here, count once together."""
        values = np.concatenate([each.values for each in self.kept])
        labels = np.concatenate([each.labels for each in self.kept])
        copy = np.unique(np.column_stack([values, labels]), axis=0, return_inverse=True)[1].ravel()
        return LabelledEmbeddings(
            values,
            labels,
            np.unique(np.concatenate([each.groups for each in self.kept]), return_inverse=True)[1],
            np.repeat([each.sender for each in self.kept], [len(e.labels) for e in self.kept]),
            1 / np.bincount(copy)[copy],
        )

    def _fitted(self) -> FittedHead:
        material = self.material
        return chosen_fit(
            material.anchor,
            material.memory,
            self.corrections,
            material.domain.teach,
            material.domain.training.label_smoothing,
        )

    def _verdict(self, head: Head) -> Verdict:
        material, memory = self.material, self.material.memory
        counts = full_clips(self.corrections, len(memory.labels), material.domain.teach)
        ids = ("",) * len(memory.labels)
        return approve(
            TaughtHead(
                head,
                self.champion,
                material.anchor,
                Embeddings(np.asarray(memory.values, np.float32), memory.labels, ids),
                material.exam,
                material.bundle.card,
                float(counts.sum()),
                float(counts[~self.learnt].sum()),
                material.known,
            )
        )

    def _hold_back(self, fitted: FittedHead, attempt: int) -> None:
        """See `training/teaching/harmful_corrections.py`."""
        material = self.material
        refused = RefusedFit(
            material.anchor,
            material.memory,
            self.corrections,
            ~self.learnt,
            material.domain.teach,
            material.domain.training.label_smoothing,
            fitted.pull,
        )
        held = harmful_rows(refused, attempt) > 0
        self.kept = [each for each, out in zip(self.kept, held, strict=True) if not out]
        self.learnt = self.learnt[~held]
