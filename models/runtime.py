"""A bundle that answers: ONNX Runtime on a CPU, torch on a GPU, behind the same call.

A replica imports this module, so it needs nothing but numpy, ONNX Runtime, safetensors and
pydantic; torch is imported only by the one who asks for a `TorchModel`. A model never changes
after it was made: any number of threads may call it, and a swap is one assignment of another.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from data.arrays import Floats, Mask
from data.domains.domain import AudioDomain
from data.errors import BundleError
from models.bundle import Bundle
from models.calibration import softmax
from models.card import BACKBONE
from models.masks import outline, strongest
from models.novelty import UNLIKE, Known, Remembered, without_label
from models.silent_onnxruntime import onnxruntime

if TYPE_CHECKING:
    from data.media.prepare import Prepared

PROBE_TOLERANCE = 1e-3  # relative; another CPU or ONNX Runtime moves the last digits only
WINDOWS_AT_ONCE = 8


@dataclass(frozen=True)
class Scores:
    """One clip's answer, float32, and what is needed to say where in the clip it comes from."""

    logits: Floats  # [C]
    probabilities: Floats  # [C]
    embedding: Floats  # [D]
    frames: Floats  # [windows, T, D], a part of the batch's array; T pixels of a photograph
    model: "Model"
    mask: Mask | None = None  # [H, W], where in a photograph that is which its answer says
    unknown_reason: str | None = None  # of photographs always None

    @cached_property  # asked for half a dozen times an answer
    def best(self) -> int:
        """The index of the label that is answered."""
        return int(self.probabilities.argmax())

    @property
    def unknown(self) -> bool:
        """Nothing that the model could tell: the label that is answered is only the nearest."""
        return self.unknown_reason is not None

    @property
    def confidence(self) -> float:
        return float(self.probabilities[self.best])

    @property
    def asserted(self) -> bool | None:
        """Known, and as sure as answers of this label have to be; None where no card says how, as
        of photographs."""
        needed = self.model.card.assert_at
        if not needed:
            return None
        least = needed[self.model.labels[self.best]]
        return not self.unknown and least is not None and self.confidence >= least

    @property
    def evidence(self) -> Floats:
        """Probabilities per frame, [windows * T, C], windows end to end; worked out when asked
        for, which few do.

        Attention pooling makes a window's logits the weighted mean of its frames' logits, so the
        frames are read by the same head at the same temperature.
        """
        return self.model.probabilities(
            self.model.head.logits(self.frames.reshape(-1, self.frames.shape[2]))
        )


class Model(ABC):
    def __init__(self, bundle: Bundle) -> None:
        self.card = bundle.card
        self.digest = bundle.digest
        self.labels = bundle.labels
        self._temperature = np.float32(bundle.card.temperature)
        self.head = bundle.head()
        self._exam, self._probe = bundle.exam_and_probe()
        self._known = known_by(bundle)
        self._predict = PREDICT[bundle.domain.task]
        domain = bundle.domain
        heard = domain.input if isinstance(domain, AudioDomain) else None
        self._quietest_dbfs = heard.quietest_dbfs if heard else None

    @abstractmethod
    def embed(self, features: Floats) -> tuple[Floats, Floats]:
        """features [N, mels, frames], [N, samples] or [N, 3, H, W] -> embeddings [N, D] and those
        of frames or pixels [N, T, D]."""

    def answer(self, clips: "Sequence[Prepared]") -> list[Scores]:
        """What is said of each clip. Of one that is too quiet, that it is unknown: however loud
        it is made, what is heard then is the microphone."""
        scores = self.predict([clip.features for clip in clips])
        return [
            replace(each, unknown_reason=f"too quiet: {clip.level_dbfs:.0f} dBFS")
            if self._is_too_quiet(clip)
            else each
            for each, clip in zip(scores, clips, strict=True)
        ]

    def _is_too_quiet(self, clip: "Prepared") -> bool:
        """False of a photograph, which has no level."""
        level, quietest = clip.level_dbfs, self._quietest_dbfs
        return level is not None and quietest is not None and level < quietest

    def predict(self, batch: Sequence[Floats]) -> list[Scores]:
        """An answer for each clip, its windows or its one photograph [1, 3, H, W]."""
        return self._predict(self, batch)

    def score(self, batch: Sequence[Floats], embeddings: Floats, frames: Floats) -> list[Scores]:
        """What `embed` found in the windows of all clips together, clip by clip."""
        ends = list(accumulate(len(features) for features in batch))
        parts = [slice(end - len(clip), end) for clip, end in zip(batch, ends, strict=True)]
        if len(parts) < len(embeddings):
            embeddings = np.stack([embeddings[part].mean(axis=0) for part in parts])
        logits = self.head.logits(embeddings)
        probabilities = self.probabilities(logits)
        why = map(self.why_unknown, embeddings, probabilities)
        return [
            Scores(logits[i], probabilities[i], embeddings[i], frames[part], self, None, reason)
            for i, (part, reason) in enumerate(zip(parts, why, strict=True))
        ]

    def why_unknown(self, embedding: Floats, probabilities: Floats) -> str | None:
        """Of a clip with embedding [D] and probabilities [C]; None: it is known."""
        label = int(probabilities.argmax())
        if self._known is None:
            return UNLIKE if probabilities[label] < self.card.unknown_threshold else None
        return self._known.why_unknown(embedding, label)

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated, over the last axis."""
        return softmax(logits / self._temperature)

    def self_test(self) -> None:
        """Raises BundleError unless the network and the head do what they did when trained."""
        embeddings, frames = self.embed(self._probe.features)
        right = self._probe.embedding
        if embeddings.shape != (1, len(right)) or frames.ndim != 3 or frames.shape[2] != len(right):
            raise BundleError(
                f"the network gives embeddings {embeddings.shape} and frames {frames.shape}, "
                f"right are (1, {len(right)}) and (1, T, {len(right)})"
            )
        off = float(np.abs(embeddings[0] - right).max())
        if not off <= PROBE_TOLERANCE * max(1.0, float(np.abs(right).max())):
            raise BundleError(f"the network's embedding of the probe clip is off by {off:.3g}")
        self._sit_exam()

    def _sit_exam(self) -> None:
        right = self.head.logits(self._exam.values).argmax(axis=1) == self._exam.labels
        promised = self.card.metrics.exam.accuracy
        # Embeddings are kept in half precision: a clip in a hundred may lie on the fence.
        slack = max(1.0, 0.01 * len(right))
        if abs(right.sum() - promised * len(right)) > slack + 1e-6:
            raise BundleError(
                f"the head gets {right.mean():.3f} of the exam right, the card says {promised:.3f}"
            )


def known_by(bundle: Bundle) -> Known | None:
    """None of a bundle from before limits were kept, and of one that sees."""
    novelty = bundle.card.novelty
    if novelty is None:
        return None
    memory = bundle.memory()
    return Known(
        Remembered(memory.values, memory.labels, len(bundle.labels)),
        tuple(novelty.limits[label] for label in bundle.labels),
        without_label(bundle.others()),
        novelty.nearest_other,
    )


def _classify(model: Model, batch: Sequence[Floats]) -> list[Scores]:
    """One pass over all clips; a clip is the mean of its windows."""
    features = batch[0] if len(batch) == 1 else np.concatenate(batch)
    return model.score(batch, *model.embed(features))


def _segment(model: Model, batch: Sequence[Floats]) -> list[Scores]:
    """A pass for each photograph, since they differ in size. A photograph is the mean of those
    of its pixels that look most like what is sought: few of them make a crack."""
    found = []
    for features in batch:
        _, pixels = model.embed(features)
        everywhere = model.head.logits(pixels[0])
        embedding = pixels[0, strongest(everywhere)].mean(axis=0)
        logits = model.head.logits(embedding)
        mask = outline(everywhere, *features.shape[2:])
        found.append(Scores(logits, model.probabilities(logits), embedding, pixels, model, mask))
    return found


PREDICT: dict[str, Callable[[Model, Sequence[Floats]], list[Scores]]] = {
    "classify": _classify,
    "segment": _segment,
}


class OnnxModel(Model):
    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Spinning threads would take the core from the replica next door.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.backbone(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a dozen kinds and no common base
            raise BundleError(f"{BACKBONE} cannot be run: {error}") from error
        inputs = {node.name for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        if inputs != {"features"} or not {"embedding", "frames"} <= outputs:
            raise BundleError(
                f"{BACKBONE} turns {sorted(inputs)} into {sorted(outputs)}, "
                "right is features into embedding and frames"
            )

    def embed(self, features: Floats) -> tuple[Floats, Floats]:
        """In small pieces: a long recording then needs no more memory than a short one, and
        a larger pass leaves the CPU's cache and is slower per window."""
        if len(features) <= WINDOWS_AT_ONCE:
            return self._run(features)
        pieces = [
            self._run(features[start : start + WINDOWS_AT_ONCE])
            for start in range(0, len(features), WINDOWS_AT_ONCE)
        ]
        embeddings, frames = zip(*pieces, strict=True)
        return np.concatenate(embeddings), np.concatenate(frames)

    def _run(self, features: Floats) -> tuple[Floats, Floats]:
        embeddings, frames = self._session.run(["embedding", "frames"], {"features": features})
        return embeddings, frames


class TorchModel(Model):
    def __init__(self, bundle: Bundle, device: str = "cuda") -> None:
        """Raises BundleError without weights, or if they do not fit the network."""
        import torch

        from models.networks.kinds import trained_network

        super().__init__(bundle)
        self._device = torch.device(device)
        self._network = trained_network(bundle).eval().to(self._device)

    def embed(self, features: Floats) -> tuple[Floats, Floats]:
        import torch

        with torch.inference_mode():
            embeddings, frames = self._network(torch.from_numpy(features).to(self._device))
        return embeddings.cpu().numpy(), frames.cpu().numpy()
