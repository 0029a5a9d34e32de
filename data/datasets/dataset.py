"""Labelled clips as training sees them, and their decoded waveforms.

A clip's identity is the sha256 of its bytes, whether it came with a data set or from a person, so
that the same recording is found again wherever it turns up.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.arrays import Doubles, Floats, Integers
from data.atomic import staging
from data.database.schema import HeldFor
from data.datasets.augment import WaveformAugment, colour, mask, mix_background, mix_up
from data.datasets.listing import readable
from data.datasets.sources import Example
from data.domains.domain import AudioDomain
from data.errors import ClipError, InvalidParameter
from data.media.audio.features import features_for
from data.media.audio.loudness import at_loudness
from data.media.audio.recording import decode


class Kept(Protocol):
    """Bytes that can be read: from a data set's file, or by digest from what people sent."""

    @property
    def sha256(self) -> str: ...

    @property
    def path(self) -> Path | None: ...


def read_file(kept: Kept) -> bytes:
    assert kept.path is not None, kept.sha256
    return kept.path.read_bytes()


@dataclass(frozen=True)
class MaskFile:
    """What of a photograph is which label; see `Kept`."""

    sha256: str
    path: Path | None


@dataclass(frozen=True)
class LabelledClip:
    """`source` is finer than the label; `path` is None for a clip that people uploaded. A
    photograph without a mask shows nothing of what is sought."""

    sha256: str
    label: str
    group: str
    source: str
    path: Path | None
    mask: MaskFile | None = None
    split: HeldFor | None = None  # what its importer, or its list, wanted it for

    @property
    def name(self) -> str:
        """As people know it: never with the folders of this machine."""
        path = self.path
        return readable(f"{path.parent.name}/{path.name}") if path else self.sha256[:12]


Reader = Callable[[Kept], bytes]


def from_example(example: Example) -> LabelledClip:
    mask = MaskFile(_digest(example.mask), example.mask) if example.mask else None
    sha256, path = _digest(example.path), example.path
    about = example.label, example.group, example.source
    return LabelledClip(sha256, *about, path, mask, example.held)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pinned_groups(clips: Sequence[LabelledClip]) -> dict[str, bool]:
    """The groups whose side was said when they were imported: True for validation. Training wins
    where both were said, or a model would be stopped by what it has learnt."""
    pinned: dict[str, bool] = {}
    for clip in clips:
        if clip.split is not None:
            held = clip.split == "validation"
            pinned[clip.group] = pinned.get(clip.group, True) and held
    return pinned


@dataclass(frozen=True)
class Waveforms:
    """Decoded clips end to end in one memory-mapped file: float16 [samples], clip i ends at
    ends[i]. Half precision is 66 dB below each sample: quieter than any augmentation."""

    samples: NDArray[np.float16]
    ends: Integers

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Floats:
        start = int(self.ends[index - 1]) if index else 0
        return self.samples[start : int(self.ends[index])].astype(np.float32)


def decode_all(
    clips: Sequence[LabelledClip], read: Reader, domain: AudioDomain, folder: Path
) -> Waveforms:
    """Decodes into `folder`, or finds it done already: a resumed run does not decode again."""

    def decoded() -> dict[str, NDArray[np.generic]]:
        parts = [_decoded(clip, read, domain) for clip in clips]
        samples = np.concatenate(parts).astype(np.float16)
        return {"samples": samples, "ends": np.cumsum([part.size for part in parts])}

    write_once(folder, decoded)
    return open_waveforms(folder)


def write_once(folder: Path, make: Callable[[], Mapping[str, NDArray[np.generic]]]) -> None:
    """Arrays by name into `folder`, whole or not at all, unless they are there already."""
    if folder.is_dir():
        return
    arrays = make()
    with staging(folder) as part:
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array)
        part.rename(folder)


@contextmanager
def naming(clip: LabelledClip) -> Iterator[None]:
    """What is wrong with a clip of a data set is told with its name."""
    try:
        yield
    except ClipError as error:
        raise InvalidParameter(f"{clip.name}: {error}") from error


def _decoded(clip: LabelledClip, read: Reader, domain: AudioDomain) -> Floats:
    rate_hz = domain.input.sample_rate_hz
    with naming(clip):
        recording = decode(read(clip), sample_rate_hz=rate_hz, limits=domain.limits)
    return at_loudness(recording.samples, domain.input)[0]


def open_waveforms(folder: Path) -> Waveforms:
    samples = np.load(folder / "samples.npy", mmap_mode="r")
    return Waveforms(samples, np.load(folder / "ends.npy"))


def one_hot(labels: Integers, classes: int) -> Floats:
    return np.eye(classes, dtype=np.float32)[labels]


@dataclass(frozen=True)
class Batches:
    """Augmented features of one epoch; each of `world` workers gets its share of every batch."""

    domain: AudioDomain
    waveforms: Waveforms
    targets: Floats
    members: Integers
    batch_size: int
    chances: Doubles | None = None  # of each member; None: each once an epoch

    def __len__(self) -> int:
        return batches_of(self.members, self.batch_size)

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Floats, Floats]]:
        """features [n, mels, frames] or [n, samples] of `learnt_samples`, and targets [n, outputs],
        the same for the same number."""
        seed = (self.domain.training.seed, number)
        for batch, rng in deal(self._drawn(seed), len(self), seed, rank, world):
            yield self._batch(batch, rng)

    def _drawn(self, seed: tuple[int, int]) -> Integers:
        if self.chances is None:
            return self.members
        rng = np.random.default_rng((*seed, 1))
        return rng.choice(self.members, len(self.members), p=self.chances)

    def _batch(self, members: Integers, rng: np.random.Generator) -> tuple[Floats, Floats]:
        spec = self.domain.training.augment
        rate_hz = self.domain.input.sample_rate_hz
        change = WaveformAugment(spec, rate_hz, self.domain.learnt_samples)
        windows = np.stack([change(self.waveforms[member], rng) for member in members])
        windows = mix_background(windows, spec.background_snr_db, rng)
        mixed, targets = mix_up(windows, self.targets[members], spec.mixup_alpha, rng)
        features = colour(features_for(self.domain)(mixed), spec.colour_db, rng)
        return mask(features, spec, rng), targets


def batches_of(members: Integers, batch_size: int) -> int:
    """How many batches: none of them is smaller than the others by more than one clip."""
    return max(1, len(members) // batch_size)


def deal(
    members: Integers, batches: int, seed: tuple[int, int], rank: int, world: int
) -> Iterator[tuple[Integers, np.random.Generator]]:
    """One worker's share of each batch of an epoch, and the chance that changes its clips."""
    order = np.random.default_rng(seed).permutation(members)
    rng = np.random.default_rng((*seed, rank))
    for batch in np.array_split(order, batches):
        yield batch[rank::world], rng
