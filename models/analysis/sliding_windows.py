"""A recording of hours, heard a few windows at a time: the same network as a clip's, in slices.

with open_recording(path, ...) as stream:
    analysis = Analysis(model, stream, hop_s=1.0)
    while analysis.step():
        ...                                 # say how far it is, or let others work
events = find_events(analysis.heard(), rules)
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from data.domains.domain import AudioDomain, of_sounds
from data.errors import InvalidParameter
from data.media.audio.recording_stream import cut_windows
from data.media.audio.waveform import RecordingStream
from data.media.prepare import prepare_samples
from models.analysis.sound_events import Heard, Rules, thresholds
from models.runtime import WINDOWS_AT_ONCE, Model

WISHES = {"hop_s", "threshold", "min_length_s", "merge_gap_s", "top_n"}
HOPS = 5  # of a window, if nobody says how fine
FINEST = 20
OF_ASSERTED = 0.85
PASSED_AT_ONCE = 256  # windows that are known already: they are decoded, and no more


class Analysis:
    def __init__(
        self, model: Model, stream: RecordingStream, hop_s: float, known: bytes | None = None
    ) -> None:
        """`stream` is at the rate of the model's domain. `known`: what was `kept` of an analysis of
        the same recording by the same model, which goes on there."""
        self._model = model
        self._stream = stream
        self._domain = of_sounds(model.card.domain)
        heard = self._domain.input
        hop = max(1, round(hop_s * heard.sample_rate_hz))
        self._windows = cut_windows(stream.blocks, heard.window_samples, hop)
        self._starts: list[int] = []
        self._probabilities: list[NDArray[np.float32]] = []
        self._unknown: list[bool] = []
        self._to_pass = 0
        if known is not None:
            self._take_over(known)

    def step(self) -> bool:
        """Hears some windows more; False where there were none left. Raises ClipError."""
        if self._to_pass:
            passed = sum(1 for _ in islice(self._windows, min(self._to_pass, PASSED_AT_ONCE)))
            self._to_pass -= passed
            return passed > 0
        batch = list(islice(self._windows, WINDOWS_AT_ONCE))
        if not batch:
            return False
        found = self._model.answer([prepare_samples(each, self._domain) for _, each in batch])
        self._starts += [start for start, _ in batch]
        self._probabilities.append(np.stack([scores.probabilities for scores in found]))
        self._unknown += [scores.unknown for scores in found]
        return True

    def kept(self) -> bytes:
        """What was heard so far, for another to go on with."""
        out, heard = io.BytesIO(), self.heard()
        starts = np.array(self._starts, np.int64)
        np.savez(out, starts=starts, probabilities=heard.probabilities, unknown=heard.unknown)
        return out.getvalue()

    def _take_over(self, known: bytes) -> None:
        with np.load(io.BytesIO(known), allow_pickle=False) as kept:
            self._starts = kept["starts"].tolist()
            self._probabilities = [kept["probabilities"]]
            self._unknown = kept["unknown"].tolist()
        self._to_pass = len(self._starts)

    @property
    def done(self) -> float | None:
        """0 to 1; None where the recording does not say how long it is."""
        if not self._stream.declared_s:
            return None
        return min(1.0, self._stream.duration_s / self._stream.declared_s)

    def heard(self) -> Heard:
        classes = len(self._model.labels)
        return Heard(
            labels=self._model.labels,
            window_s=self._domain.input.window_s,
            duration_s=self._stream.duration_s,
            starts_s=np.array(self._starts) / self._domain.input.sample_rate_hz,
            probabilities=np.concatenate(
                [np.empty((0, classes), np.float32), *self._probabilities]
            ),
            unknown=np.array(self._unknown, bool),
        )


@dataclass(frozen=True)
class Wishes:
    """What somebody wants to be otherwise than by default, as it came; None is the default."""

    hop_s: float | None = None
    thresholds: Mapping[str, float] | None = None
    min_length_s: float | None = None
    merge_gap_s: float | None = None
    top_n: int | None = None


def wishes_from(said: Mapping[str, Sequence[str]]) -> Wishes:
    """Of what was typed, by name; a `threshold` is label:probability. Raises InvalidParameter."""
    if strange := set(said) - WISHES:
        raise InvalidParameter(
            f"there is no parameter {min(strange)[:40]!r}; there are {', '.join(sorted(WISHES))}"
        )
    number = {
        name: _number(name, said[name][-1]) for name in WISHES - {"threshold"} if said.get(name)
    }
    top_n = number.pop("top_n", None)
    if top_n is not None and not (top_n >= 1 and top_n.is_integer()):
        raise InvalidParameter(f"top_n must be a whole number from 1 on, got {top_n:g}")
    return Wishes(
        thresholds=dict(map(_threshold, said.get("threshold", ()))),
        top_n=None if top_n is None else int(top_n),
        **number,
    )


def _threshold(text: str) -> tuple[str, float]:
    label, colon, least = text.partition(":")
    try:
        if label and colon:
            return label, float(least)
    except ValueError:
        pass
    raise InvalidParameter(
        f"threshold must be label:probability, as rain:0.7, and once for each label; got "
        f"{text[:40]!r}"
    )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidParameter(f"{name} must be a number, got {text[:40]!r}") from None


def planned(model: Model, domain: AudioDomain, wishes: Wishes) -> tuple[float, Rules]:
    """The hop in seconds, and what makes an event. `domain` is as its file says now, which may name
    its rest label; raises InvalidParameter or UnknownName.

    A card asserts what one clip is; of an event several windows have to be sure, each a little
    less. Of validation clips in noise that finds more, and among strangers fewer, than one window
    that is as sure as a clip has to be."""
    window_s = of_sounds(model.card.domain).input.window_s
    hop_s = window_s / HOPS if wishes.hop_s is None else wishes.hop_s
    if not window_s / FINEST <= hop_s <= window_s:
        raise InvalidParameter(
            f"hop_s must be from {window_s / FINEST:g} to {window_s:g} (the window), got {hop_s:g}"
        )
    asserted = thresholds(model.card, domain.rest_label)
    enter = {label: OF_ASSERTED * least for label, least in asserted.items()}
    enter |= wishes.thresholds or {}
    for label, least in enter.items():
        model.card.domain.label_index(label)
        if not 0 < least <= 1:
            raise InvalidParameter(
                f"the threshold of {label} must lie above 0 and be at most 1, got {least:g}"
            )
    least_s = _seconds("min_length_s", wishes.min_length_s, window_s / 2)
    rules = Rules(
        enter,
        merge_gap_s=_seconds("merge_gap_s", wishes.merge_gap_s, hop_s),
        min_length_s=least_s,
        sure_s=least_s,
        top_n=wishes.top_n,
    )
    return hop_s, rules


def _seconds(name: str, wish: float | None, usual: float) -> float:
    if wish is None:
        return usual
    if not (math.isfinite(wish) and wish >= 0):
        raise InvalidParameter(f"{name} must be a number of seconds from 0 on, got {wish:g}")
    return wish
