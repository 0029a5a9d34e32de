"""Pictures of a domain's data: clips by label, how many there are, what they sound like."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from data.arrays import Doubles, Floats
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import AudioDomain, Domain, ImageDomain
from data.domains.sections import LogMelSpec
from data.errors import TelltaleError
from data.media.audio.features import features_for, windows
from data.media.audio.log_mel_means import centres_hz, mfcc
from data.media.audio.loudness import at_loudness
from data.media.audio.recording import decode
from data.media.image import photograph

POINTS = 2_000  # of a drawn waveform
INK = "#c2410c"  # of what is marked in a photograph

Drawn = Callable[[list[Axes], LabelledClip, Reader, Any], None]


def draw_clips(
    domain: Domain, clips: Mapping[str, Sequence[LabelledClip]], read: Reader, file: Path
) -> None:
    """A row for each label. Of a recording its waveform and spectrogram, of a photograph itself
    and what of it is marked."""
    most = max(map(len, clips.values()))
    figure = new_figure(width=5 * most, height=1.5 * len(clips))
    rows = figure.subplots(len(clips), 2 * most, squeeze=False)
    for row, (label, some) in zip(rows, clips.items(), strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
        row[0].set_ylabel(label)
        for place, clip in enumerate(some):
            pair = list(row[2 * place : 2 * place + 2])
            try:
                DRAWN[domain.modality](pair, clip, read, domain)
            except (TelltaleError, OSError) as error:  # one of many is no reason to show none
                words = f"{clip.name} cannot be shown:\n{error}"
                pair[0].text(0, 0.5, fill(words, 60), fontsize=7, transform=pair[0].transAxes)
    figure.savefig(file, dpi=80)


def _draw_recording(
    axes: list[Axes], clip: LabelledClip, read: Reader, domain: AudioDomain
) -> None:
    rate_hz = domain.input.sample_rate_hz
    heard = decode(read(clip), sample_rate_hz=rate_hz, limits=domain.limits).samples
    samples = at_loudness(heard, domain.input)[0][: domain.input.window_samples]
    axes[0].plot(_envelope(samples), linewidth=0.6)
    axes[0].set_title(clip.name, fontsize=7)
    features = features_for(domain)(windows(samples, domain.input))[0]
    if features.ndim == 2:  # not of a network that hears the waveform
        axes[1].imshow(features, origin="lower", aspect="auto", cmap="magma")


def _draw_photograph(
    axes: list[Axes], clip: LabelledClip, read: Reader, domain: ImageDomain
) -> None:
    sizes = domain.input.max_side_px, domain.network.stride_px
    found = photograph.decode(read(clip), *sizes, domain.limits)
    for each in axes:
        each.imshow(found.pixels)
    axes[0].set_title(clip.name, fontsize=7)
    if clip.mask is not None:
        mask = photograph.decode_mask(read(clip.mask), domain.limits)
        height, width = found.pixels.shape[:2]
        drawn = photograph.resize_mask(mask, width, height)
        axes[1].contour(drawn.astype(float), levels=[0.5], colors=INK, linewidths=1)


DRAWN: dict[str, Drawn] = {"audio": _draw_recording, "image": _draw_photograph}


def draw_balance(by_label: Mapping[str, Mapping[str, int]], file: Path) -> None:
    """Label -> clips by what became of them: learnt, or kept in which state."""
    figure = new_figure(width=8, height=1 + 0.35 * len(by_label))
    axes, left = figure.subplots(), np.zeros(len(by_label))
    for kind in dict.fromkeys(kind for counts in by_label.values() for kind in counts):
        numbers = np.array([counts.get(kind, 0) for counts in by_label.values()])
        axes.barh(list(by_label), numbers, left=left, label=kind)
        left += numbers
    axes.invert_yaxis()
    axes.set(xlabel="clips")
    axes.legend()
    figure.savefig(file, dpi=100)


def draw_trends(log_mel: Mapping[str, Sequence[float]], spec: LogMelSpec, file: Path) -> None:
    """What each label sounds like in the mean: its log-mel frame and its MFCCs."""
    frames: Doubles = np.array(list(log_mel.values()), np.float64)
    figure = new_figure(width=11, height=4)
    spectrum, cepstrum = figure.subplots(1, 2)
    for label, frame, coefficients in zip(log_mel, frames, mfcc(frames), strict=True):
        spectrum.plot(centres_hz(spec), frame, label=label)
        cepstrum.plot(range(1, len(coefficients)), coefficients[1:], marker=".")
    spectrum.set(xlabel="Hz", ylabel="log-mel", xscale="log")
    cepstrum.set(xlabel="MFCC", ylabel="mean")
    figure.legend(*spectrum.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.savefig(file, dpi=100)


def new_figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _envelope(samples: Floats) -> Floats:
    """The loudest sample of each piece, with its sign: a plot of all of them says no more."""
    step = max(1, len(samples) // POINTS)
    pieces = samples[: len(samples) // step * step].reshape(-1, step)
    loudest = np.abs(pieces).argmax(axis=1)
    found: Floats = pieces[np.arange(len(pieces)), loudest]
    return found
