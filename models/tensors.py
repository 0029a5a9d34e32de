"""The arrays of a bundle and the bytes they are kept as: safetensors, never pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from data.arrays import Bools, Floats, Integers
from data.errors import BundleError
from data.quality.copy_pairs import Fingerprints
from models.card import EXAM, FINGERPRINTS, HEAD, MEMORY, OTHERS, OUT_OF_FOLD

ID_BYTES = 32  # a sha256
NOTHING: Mapping[str, type[np.generic]] = MappingProxyType({})


@dataclass(frozen=True)
class Head:
    """The last linear layer: weight [C, D] and bias [C], float32."""

    weight: Floats
    bias: Floats

    def logits(self, embeddings: Floats) -> Floats:
        """[..., D] -> [..., C]"""
        return embeddings @ self.weight.T + self.bias


@dataclass(frozen=True)
class Embeddings:
    """values [N, D] float32 (kept as float16), label ids [N] and the sha256 of each clip.

    Of a clip that is classified there is one row; of a photograph that is segmented there are as
    many as pixels are remembered, one after the other: N is a multiple of the number of clips.
    `groups` [clips], of an exam only: clips of one number belong together (one recording, speaker).
    """

    values: Floats
    labels: Integers
    clip_ids: tuple[str, ...]
    groups: Integers | None = None

    @property
    def by_clip(self) -> Floats:
        """[clips, rows, D]"""
        clips, size = len(self.clip_ids), self.values.shape[1]
        return self.values.reshape(clips, len(self.values) // max(1, clips), size)

    @property
    def labels_by_clip(self) -> Integers:
        """[clips, rows]"""
        return self.labels.reshape(self.by_clip.shape[:2])


@dataclass(frozen=True)
class Probe:
    """One window's features [1, ...] and the embedding [D] they must give."""

    features: Floats
    embedding: Floats


@dataclass(frozen=True)
class FoldAnswers:
    """What models of folds said of n clips that they had not learnt: logits [n, C], the right label
    ids [n], the numbers of each clip's group and fold [n].

    `own` [n] is the distance to the nearest remembered clip of the label that was answered, `other`
    [n] to the nearest sound that no label is for (infinite where none is remembered); the unit is
    what is typical of the fold's own validation clips, since no two networks have one scale.
    `clip_ids` are the sha256 of the clips.
    """

    logits: Floats
    labels: Integers
    groups: Integers
    folds: Integers
    own: Floats
    other: Floats
    clip_ids: tuple[str, ...]

    def only(self, those: Bools) -> "FoldAnswers":
        arrays = {name: vars(self)[name][those] for name in ANSWERS}
        ids = tuple(clip for clip, stays in zip(self.clip_ids, those, strict=True) if stays)
        return FoldAnswers(**arrays, clip_ids=ids)


def head_bytes(head: Head) -> bytes:
    return _save({"weight": head.weight, "bias": head.bias})


def memory_bytes(memory: Embeddings) -> bytes:
    return _save(_rows(memory))


def exam_bytes(exam: Embeddings, probe: Probe) -> bytes:
    groups = {} if exam.groups is None else {"groups": exam.groups.astype(np.int64)}
    probed = {"probe_features": probe.features, "probe_embedding": probe.embedding}
    return _save({**_rows(exam), **groups, **probed})


def others_bytes(values: Floats) -> bytes:
    """Embeddings [N, D]"""
    return _save({"embeddings": values.astype(np.float16)})


def fold_answer_bytes(answers: FoldAnswers) -> bytes:
    arrays = {name: vars(answers)[name].astype(kind) for name, kind in ANSWERS.items()}
    return _save({**arrays, "clip_ids": _ids(answers.clip_ids)})


def fingerprint_bytes(prints: Fingerprints) -> bytes:
    """All of them end to end, the length of each, and the name of their kind in ASCII."""
    kind, joined = prints.kind.encode("ascii"), b"".join(prints.values)
    return _save(
        {
            "kind": np.frombuffer(kind, np.uint8),
            "lengths": np.array([len(one) for one in prints.values], np.int64),
            "prints": np.frombuffer(joined, np.uint8),
        }
    )


def as_stored(values: Floats) -> Floats:
    """Embeddings after the way through a file: figures are to be taken from these."""
    return values.astype(np.float16).astype(np.float32)


def read_head(raw: bytes) -> Head:
    tensors = _load(raw, HEAD, {"weight": np.float32, "bias": np.float32})
    return Head(tensors["weight"], tensors["bias"])


def read_memory(raw: bytes) -> Embeddings:
    return _embeddings(_load(raw, MEMORY, ROWS), MEMORY)


def read_exam(raw: bytes) -> tuple[Embeddings, Probe]:
    probe = {"probe_features": np.float32, "probe_embedding": np.float32}
    tensors = _load(raw, EXAM, {**ROWS, **probe}, optional={"groups": np.int64})
    return (
        _embeddings(tensors, EXAM),
        Probe(tensors["probe_features"], tensors["probe_embedding"]),
    )


def read_others(raw: bytes) -> Floats:
    values = _load(raw, OTHERS, {"embeddings": np.float16})["embeddings"]
    return np.asarray(values, np.float32)


def read_fold_answers(raw: bytes) -> FoldAnswers:
    tensors = _load(raw, OUT_OF_FOLD, {**ANSWERS, "clip_ids": np.uint8})
    ids = tensors.pop("clip_ids")
    clips = {values.shape[:1] for values in (ids, *tensors.values())}
    flat = all(values.ndim == 1 + (name == "logits") for name, values in tensors.items())
    if len(clips) > 1 or not flat or ids.shape[1:] != (ID_BYTES,):
        raise BundleError(f"{OUT_OF_FOLD}: its answers do not describe the same clips")
    return FoldAnswers(**tensors, clip_ids=_hexadecimal(ids))


ANSWERS: dict[str, type[np.generic]] = {
    "logits": np.float32,
    "labels": np.int64,
    "groups": np.int64,
    "folds": np.int64,
    "own": np.float32,
    "other": np.float32,
}


def read_fingerprints(raw: bytes) -> Fingerprints:
    tensors = _load(raw, FINGERPRINTS, PRINTS)
    kind, lengths, joined = (tensors[key] for key in PRINTS)
    fitting = kind.ndim == lengths.ndim == joined.ndim == 1 and (lengths >= 0).all()
    if not fitting or lengths.sum() != len(joined):
        raise BundleError(f"{FINGERPRINTS}: its fingerprints and their lengths do not fit together")
    ends = np.cumsum(lengths)
    values = (joined[end - size : end].tobytes() for size, end in zip(lengths, ends, strict=True))
    return Fingerprints(kind.tobytes().decode("ascii", "replace"), tuple(values))


PRINTS: dict[str, type[np.generic]] = {"kind": np.uint8, "lengths": np.int64, "prints": np.uint8}


ROWS: dict[str, type[np.generic]] = {
    "embeddings": np.float16,
    "labels": np.int64,
    "clip_ids": np.uint8,
}


def _rows(kept: Embeddings) -> dict[str, NDArray[np.generic]]:
    return {
        "embeddings": kept.values.astype(np.float16),
        "labels": kept.labels.astype(np.int64),
        "clip_ids": _ids(kept.clip_ids),
    }


def _ids(clips: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex("".join(clips)), np.uint8).reshape(-1, ID_BYTES)


def _embeddings(tensors: Mapping[str, NDArray[Any]], name: str) -> Embeddings:
    values, labels, ids = (tensors[key] for key in ROWS)
    alike = values.ndim == 2 and labels.shape == values.shape[:1]
    whole = ids.shape[1:] == (ID_BYTES,) and bool(len(ids)) >= bool(len(values))
    if not (alike and whole) or len(values) % max(1, len(ids)):
        raise BundleError(
            f"{name}: embeddings {values.shape}, labels {labels.shape} and clip_ids {ids.shape} "
            f"do not describe the same clips; right are (N, D), (N,) and (clips, {ID_BYTES})"
        )
    groups = tensors.get("groups")
    if groups is not None and groups.shape != ids.shape[:1]:
        raise BundleError(
            f"{name}: groups {groups.shape}, right is one for each of {len(ids)} clips"
        )
    return Embeddings(
        values.astype(np.float32),
        labels.astype(np.int64),
        _hexadecimal(ids),
        groups,
    )


def _hexadecimal(ids: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(row.tobytes().hex() for row in ids)


def _save(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    # safetensors writes the memory as it lies: a transposed view would come back scrambled.
    return save({name: np.ascontiguousarray(value) for name, value in tensors.items()})


def _load(
    raw: bytes,
    name: str,
    required: Mapping[str, type[np.generic]],
    optional: Mapping[str, type[np.generic]] = NOTHING,
) -> dict[str, NDArray[Any]]:
    try:
        tensors = load(raw)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{name} is not a safetensors file: {error}") from error
    if set(tensors) - set(optional) != set(required):
        raise BundleError(
            f"{name} holds {', '.join(sorted(tensors)) or 'nothing'}; "
            f"right are {', '.join(sorted(required))}"
        )
    dtypes = {**required, **optional}
    for key in tensors:
        if tensors[key].dtype != (dtype := dtypes[key]):
            raise BundleError(
                f"{name}: {key} is {tensors[key].dtype}, right is {np.dtype(dtype).name}"
            )
        if not np.isfinite(tensors[key]).all():
            raise BundleError(f"{name}: {key} holds values that are not finite")
    return tensors
