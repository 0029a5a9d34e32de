"""A model is a folder: written whole or not at all, and never believed without its digests.

`write_bundle` makes one, `load_bundle` checks one, and the cache keeps those of one machine in
folders named by digest. The digest of a bundle is that of its card, which names the digest of
every other file: two bundles with the same digest are the same bytes.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from data.arrays import Floats, Integers
from data.atomic import replace_folder, staging
from data.domains.domain import Domain
from data.errors import BundleError
from data.quality.copy_pairs import Fingerprints
from models.card import (
    ANCHOR,
    BACKBONE,
    CARD,
    EXAM,
    FINGERPRINTS,
    HEAD,
    MEMORY,
    OTHERS,
    OUT_OF_FOLD,
    Card,
    card_mistakes,
    read_card,
    write_card,
)
from models.masks import ROWS
from models.tensors import (
    Embeddings,
    FoldAnswers,
    Head,
    Probe,
    read_exam,
    read_fingerprints,
    read_fold_answers,
    read_head,
    read_memory,
    read_others,
)

PRETRAINED = Path(__file__).resolve().parent / "pretrained"  # the shipped ones, by domain


@dataclass(frozen=True)
class Bundle:
    path: Path
    card: Card
    digest: str

    @property
    def domain(self) -> Domain:
        return self.card.domain

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    def read(self, name: str) -> bytes:
        """A file's bytes; raises BundleError unless they are the ones the card describes."""
        if name not in self.card.files:
            raise BundleError(f"this {self.domain.name} bundle has no {name}")
        raw = _bytes(self.path / name)
        if (digest := _digest(raw)) != self.card.files[name]:
            raise BundleError(
                f"{name} is not the file the card describes: its {len(raw)} bytes have digest "
                f"{digest[:12]}, right is {self.card.files[name][:12]}; it was cut short or changed"
            )
        return raw

    def backbone(self) -> bytes:
        return self.read(BACKBONE)

    def head(self) -> Head:
        return read_head(self.read(HEAD))

    def anchor(self) -> Head:
        """The head of the last full training; of bundles taught before it was kept, their own."""
        return read_head(self.read(ANCHOR)) if ANCHOR in self.card.files else self.head()

    def memory(self) -> Embeddings:
        return read_memory(self.read(MEMORY))

    def exam(self) -> Embeddings:
        return self.exam_and_probe()[0]

    def exam_fingerprints(self) -> Fingerprints | None:
        """Of its clips in order; None of a bundle that was made before they were there."""
        if FINGERPRINTS not in self.card.files:
            return None
        return read_fingerprints(self.read(FINGERPRINTS))

    def others(self) -> Floats:
        """Embeddings [N, D] of sounds that no label is for; none of bundles from before."""
        if OTHERS not in self.card.files:
            return np.zeros((0, self.domain.network.embedding), np.float32)
        return read_others(self.read(OTHERS))

    def fold_answers(self) -> FoldAnswers | None:
        """What calibration rests on; None where it rests on validation clips."""
        if OUT_OF_FOLD not in self.card.files:
            return None
        return read_fold_answers(self.read(OUT_OF_FOLD))

    def exam_and_probe(self) -> tuple[Embeddings, Probe]:
        return read_exam(self.read(EXAM))


def load_bundle(path: Path) -> Bundle:
    """Verifies every digest, shape and label; raises BundleError in words, never with a path."""
    raw = _bytes(path / CARD)
    bundle = Bundle(path, read_card(raw), _digest(raw))
    for name in bundle.card.files:
        bundle.read(name)
    _check_shapes(bundle)
    return bundle


def write_bundle(
    folder: Path, *, card_fields: Mapping[str, object], files: Mapping[str, bytes | Path]
) -> Bundle:
    """Writes and verifies a bundle; `card_fields` is the card without `format` and `files`.

    What was in `folder` before is replaced.
    """
    with staging(folder) as temporary:
        digests = {}
        for name, content in sorted(files.items()):
            raw = content if isinstance(content, bytes) else content.read_bytes()
            (temporary / name).write_bytes(raw)
            digests[name] = _digest(raw)
        try:
            card = Card.model_validate({**card_fields, "files": digests})
        except ValidationError as error:
            raise BundleError(f"{CARD} would be wrong: {card_mistakes(error)}") from error
        (temporary / CARD).write_bytes(write_card(card))
        bundle = load_bundle(temporary)
        replace_folder(temporary, folder)
    return Bundle(folder, bundle.card, bundle.digest)


def rewrite_bundle(
    bundle: Bundle,
    folder: Path,
    *,
    fields: Mapping[str, object] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """The same bundle in `folder`, but for these fields of its card and these files."""
    return write_bundle(
        folder,
        card_fields=bundle.card.model_dump(exclude={"format", "files"}) | dict(fields or {}),
        files={name: bundle.read(name) for name in bundle.card.files} | dict(files or {}),
    )


def file_bytes(bundle: Bundle) -> dict[str, bytes]:
    """The whole bundle in memory, to send it to another machine."""
    return {CARD: _bytes(bundle.path / CARD)} | {
        name: bundle.read(name) for name in bundle.card.files
    }


def cached(cache_root: Path, digest: str) -> Path | None:
    """The folder of a bundle on this machine, if it is here and sound.

    Cheap enough to be asked at each beat: a folder is read again only after it has changed.
    """
    folder = _place(cache_root, digest)
    try:
        marks = tuple((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(folder))
    except OSError:
        return None
    return folder if _is_sound(folder, digest, tuple(sorted(marks))) else None


def keep(cache_root: Path, source: Path | Mapping[str, bytes]) -> Path:
    """Puts a bundle (its folder or its files) into the cache, verified; the same one twice is
    no work."""
    files = file_bytes(load_bundle(source)) if isinstance(source, Path) else source
    if CARD not in files:
        raise BundleError(f"{CARD} is missing")
    digest = _digest(files[CARD])
    folder = _place(cache_root, digest)
    if cached(cache_root, digest) is not None:
        return folder
    wanted = {CARD, *read_card(files[CARD]).files}
    with staging(folder) as temporary:
        for name in wanted & set(files):
            (temporary / name).write_bytes(files[name])
        load_bundle(temporary)
        try:
            temporary.rename(folder)
        except OSError:  # there already: by somebody faster with the same bytes, or damaged
            if cached(cache_root, digest) is None:
                replace_folder(temporary, folder)
    return folder


def drop(cache_root: Path, digest: str) -> None:
    """Removes a bundle from the cache, if it is there."""
    shutil.rmtree(_place(cache_root, digest), ignore_errors=True)


@lru_cache(maxsize=256)
def _is_sound(folder: Path, digest: str, marks: tuple[tuple[str, int, int], ...]) -> bool:
    """`marks` (name, size, time of change of each file) is there to make a changed folder new."""
    try:
        return load_bundle(folder).digest == digest
    except BundleError:
        return False


def _place(cache_root: Path, digest: str) -> Path:
    # The digest may come from a registry that other people can write to.
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise BundleError(f"{digest!r} is not the digest of a bundle (64 hexadecimal digits)")
    return cache_root / digest


def _check_shapes(bundle: Bundle) -> None:
    domain, classes = bundle.domain, len(bundle.labels)
    size = domain.network.embedding
    for name, head in ((HEAD, bundle.head()), (ANCHOR, bundle.anchor())):
        _expect(f"{name}: weight", head.weight.shape, (classes, size))
        _expect(f"{name}: bias", head.bias.shape, (classes,))
    exam, probe = bundle.exam_and_probe()
    _expect(f"{EXAM}: probe_features", probe.features.shape, (1, *domain.window))
    _expect(f"{EXAM}: probe_embedding", probe.embedding.shape, (size,))
    _check_rows(MEMORY, bundle.memory(), classes, size)
    rows = bundle.card.split.exam * ROWS[domain.task]
    _expect(f"{EXAM}: embeddings", exam.values.shape, (rows, size))
    _check_rows(EXAM, exam, classes, size)
    others = bundle.others()
    _expect(f"{OTHERS}: embeddings", others.shape, (len(others), size))
    if answers := bundle.fold_answers():
        _expect(f"{OUT_OF_FOLD}: logits", answers.logits.shape, (len(answers.labels), classes))
        _check_labels(OUT_OF_FOLD, answers.labels, classes)
    if prints := bundle.exam_fingerprints():
        _expect(f"{FINGERPRINTS}: {prints.kind}", (len(prints.values),), (len(exam.clip_ids),))


def _check_rows(name: str, kept: Embeddings, classes: int, size: int) -> None:
    _expect(f"{name}: embeddings", kept.values.shape, (len(kept.labels), size))
    _check_labels(name, kept.labels, classes)


def _check_labels(name: str, labels: Integers, classes: int) -> None:
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise BundleError(
            f"{name}: label ids run from {labels.min()} to {labels.max()}, "
            f"right are 0 to {classes - 1}"
        )


def _expect(what: str, seen: tuple[int, ...], right: tuple[int, ...]) -> None:
    if seen != right:
        raise BundleError(f"{what} has shape {seen}, right is {right}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path.name} is missing or cannot be read") from error


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
