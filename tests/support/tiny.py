"""The smallest real bundle: a random network of one convolution, made without torch in 10 ms.

`tiny_bundle(folder, domain)` is as valid as a trained one (digests, shapes, self-test), so
every test that needs a model can have one. `always="bird"` makes a model that answers nothing
else: after a swap between two of them, everybody can see which one spoke.
`fresh_registry(folder)` is an empty MLflow store without the seconds its migrations take.
"""

import atexit
import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from data.arrays import Floats
from data.domains.domain import Domain, load_domains
from data.quality.copy_pairs import Fingerprints
from data.quality.fingerprints import kind_of
from models.bundle import Bundle, write_bundle
from models.calibration import softmax
from models.card import BACKBONE, EXAM, FINGERPRINTS, HEAD, MEMORY, OTHERS
from models.masks import ROWS
from models.metrics import TASKS
from models.registry.registry import Registry
from models.tensors import (
    Embeddings,
    Head,
    Probe,
    as_stored,
    exam_bytes,
    fingerprint_bytes,
    head_bytes,
    memory_bytes,
    others_bytes,
)

CLIPS_PER_LABEL = 6
FRAME = 4  # log-mel frames seen by one frame embedding
PATCH = {"audio": (FRAME,), "image": (1, 1)}
LEVELS = {"audio": (-6, 4), "image": (0.5, 0.3)}


def tiny_bundle(
    folder: Path,
    domain: Domain | None = None,
    *,
    seed: int = 0,
    always: str | None = None,
    others: Floats | None = None,
    **card_fields: object,
) -> Bundle:
    domain = domain or load_domains(names=("keywords",))["keywords"]
    files = tiny_files(domain, seed=seed, always=always)
    if others is not None:
        files[OTHERS] = others_bytes(others)
    fields = tiny_fields(domain, seed=seed, always=always) | card_fields
    return write_bundle(folder, card_fields=fields, files=files)


def examined_bundle(folder: Path, domain: Domain, raw: bytes) -> Bundle:
    """One whose exam's first clip is `raw`, by its fingerprint; the others are like nothing."""
    kind = kind_of(domain)
    others = len(tiny_clips(domain, "exam").clip_ids) - 1
    prints = Fingerprints(kind.name, (kind.make(raw, domain), *[b""] * others))
    files = tiny_files(domain) | {FINGERPRINTS: fingerprint_bytes(prints)}
    return write_bundle(folder, card_fields=tiny_fields(domain), files=files)


def tiny_files(domain: Domain, *, seed: int = 0, always: str | None = None) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    kernel = tiny_kernel(domain, seed)
    features = rng.normal(*LEVELS[domain.modality], (1, *domain.window)).astype(np.float32)
    return {
        BACKBONE: ONNX[domain.modality](kernel),
        HEAD: head_bytes(tiny_head(domain, seed=seed, always=always)),
        MEMORY: memory_bytes(tiny_clips(domain, "memory")),
        EXAM: exam_bytes(tiny_clips(domain, "exam"), Probe(features, tiny_embed(features, kernel))),
    }


def tiny_fields(domain: Domain, *, seed: int = 0, always: str | None = None) -> dict[str, object]:
    exam = tiny_clips(domain, "exam")
    logits = tiny_head(domain, seed=seed, always=always).logits(exam.values)
    metrics = TASKS[domain.task](softmax(logits), exam.labels, domain.labels)
    return {
        "domain": domain,
        "labels": domain.labels,
        "network": {"kind": domain.network.kind, "parameters": tiny_kernel(domain, seed).size},
        "temperature": 1.0,
        "unknown_threshold": 0.0,
        "metrics": {"exam": metrics},
        "split": {"train": len(exam.clip_ids), "validation": 0, "exam": len(exam.clip_ids)},
        "snapshot": "0" * 64,
        "parent": None,
        "mode": "full",
        "licence": domain.source.licence,
        "code_version": "test",
        "created": "2026-01-01T00:00:00Z",
        "training": {"seconds": 0.0, "epochs": 1, "workers": 1},
    }


def tiny_head(domain: Domain, *, seed: int = 0, always: str | None = None) -> Head:
    """The nearest label centre, a little moved by `seed`."""
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(domain.labels), 1))
    weight = (_centres(domain) + noise).astype(np.float32)
    bias = np.zeros(len(domain.labels), np.float32)
    if always is not None:
        bias[domain.label_index(always)] = 1e4
    return Head(weight, bias)


def tiny_clips(domain: Domain, name: str) -> Embeddings:
    """Embeddings around each label's centre, easy to tell apart; the same in every bundle."""
    rng = np.random.default_rng(len(name))
    labels = np.repeat(np.arange(len(domain.labels)), CLIPS_PER_LABEL * ROWS[domain.task])
    values = _centres(domain)[labels] + rng.normal(0, 0.3, (len(labels), domain.network.embedding))
    count = len(labels) // ROWS[domain.task]
    ids = (f"{domain.name}/{name}/{place}".encode() for place in range(count))
    return Embeddings(
        as_stored(values.astype(np.float32)),
        labels.astype(np.int64),
        tuple(hashlib.sha256(text).hexdigest() for text in ids),
    )


def tiny_kernel(domain: Domain, seed: int = 0) -> Floats:
    """[D, mels, FRAME], or [D, 3, 1, 1] for pixels"""
    shape = (domain.network.embedding, domain.window[0], *PATCH[domain.modality])
    return np.random.default_rng(seed + 1).normal(0, 0.01, shape).astype(np.float32)


def tiny_embed(features: Floats, kernel: Floats) -> Floats:
    """What the tiny network gives for features [1, mels, frames] or [1, 3, H, W]: [D]."""
    if features.ndim == 4:
        pixels = np.tanh(np.einsum("chw,dc->hwd", features[0], kernel[:, :, 0, 0]))
        return np.asarray(pixels.mean(axis=(0, 1)), np.float32)
    count = features.shape[2] // FRAME
    pieces = features[0, :, : count * FRAME].reshape(features.shape[1], count, FRAME)
    frames = np.tanh(np.einsum("mtf,dmf->td", pieces, kernel))
    return np.asarray(frames.mean(axis=0), np.float32)


@cache
def _registry_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tiny-registry-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Registry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"))
    return folder / "mlflow.db"


def fresh_registry(folder: Path) -> Registry:
    """An empty registry at sqlite:///<folder>/mlflow.db, its artefacts beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        closing(sqlite3.connect(_registry_template())) as template,
        closing(sqlite3.connect(folder / "mlflow.db")) as copy,
    ):
        template.backup(copy)
    return Registry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"))


def two_versions(home: Path, name: str) -> None:
    """The champion says `one` to everything, the version after it `two`."""
    domain = load_domains(names=(name,))[name]
    registry = fresh_registry(home)
    for label in ("one", "two"):
        bundle = tiny_bundle(home / label, domain, always=label)
        version = registry.register(bundle, run_id=None, tags={})
        if label == "one":
            registry.promote(name, version.number)


def tiny_champion(home: Path, name: str) -> Bundle:
    """What the domain's version 1 holds, in a fresh registry where it is the champion."""
    registry = fresh_registry(home)
    bundle = tiny_bundle(home / "tiny", load_domains()[name])
    registry.promote(name, registry.register(bundle, run_id=None, tags={}).number)
    return bundle


def _centres(domain: Domain) -> NDArray[np.float64]:
    shape = (len(domain.labels), domain.network.embedding)
    return np.random.default_rng(99).choice([-0.5, 0.5], shape)


def _sounds(kernel: Floats) -> bytes:
    conv = helper.make_node("Conv", ["features", "kernel"], ["mixed"], strides=[FRAME])
    return _onnx(kernel, [conv], ["N", kernel.shape[1], "F"])


def _pictures(kernel: Floats) -> bytes:
    shape = numpy_helper.from_array(np.array([0, kernel.shape[0], -1], np.int64), "shape")
    nodes = [
        helper.make_node("Conv", ["features", "kernel"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "shape"], ["mixed"]),
    ]
    return _onnx(kernel, nodes, ["N", 3, "H", "W"], shape)


def _onnx(
    kernel: Floats, first: list[NodeProto], takes: list[int | str], *more: TensorProto
) -> bytes:
    nodes = [
        *first,
        helper.make_node("Tanh", ["mixed"], ["squashed"]),
        helper.make_node("Transpose", ["squashed"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["frames"], ["embedding"], axes=[1], keepdims=0),
    ]
    size = kernel.shape[0]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, takes)],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", size]),
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", "T", size]),
        ],
        [numpy_helper.from_array(kernel, "kernel"), *more],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


ONNX = {"audio": _sounds, "image": _pictures}
