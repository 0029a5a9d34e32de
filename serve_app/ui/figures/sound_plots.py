"""Draws a clip and its evidence as HTML and SVG.

Lines and text are drawn by the browser, so they stay sharp at any width and follow the light or
dark theme; only the spectrogram is a picture (a palette PNG). Text stands beside the stretched
drawing, never in it, so that it keeps its size on a phone.
"""

from dataclasses import dataclass

import numpy as np

from data.arrays import Doubles, Floats
from serve_app.client.answers import Evidence
from serve_app.ui.figures.palette_png import COLUMNS, cepstrum, glow, spectrogram
from serve_app.ui.markup import named, percent
from serve_app.ui.words.translate import number, t

LANES = 3
MOMENTS, DARK = 5, 0.2  # of a lane that can be played, and what of it is none
FINE = 5  # ticks in place of one, where it is zoomed
HEAD = '<i class="tt-head"></i>'  # where the recording is heard: static/moments.js moves it


@dataclass(frozen=True)
class Track:
    """Evidence on an even grid over the clip: `scores` is [labels, bins], NaN where none."""

    labels: tuple[str, ...]
    scores: Doubles


def clip_figure(
    waveform: Floats, sample_rate_hz: int, evidence: Evidence | None, label: str, more: str = ""
) -> str:
    """Waveform, spectrogram with the label's evidence as a line over it, lanes by label, and rows
    of `more`."""
    duration_s = len(waveform) / sample_rate_hz
    track = even(evidence, duration_s) if evidence and evidence.start_s else None
    curve = "" if track is None else _curve(track, label)
    lanes = "" if track is None else _lanes(track, label, duration_s)
    wave, spectrum = _envelope(waveform), spectrogram(waveform, sample_rate_hz)
    seconds = _wide(_time_ticks(duration_s))
    return (
        f'<figure class="tt-scope" aria-label="{_describe(duration_s, track, label)}">'
        f'<div class="tt-gutter">{t("level")}</div><div class="tt-wave">{_wide(wave + HEAD)}</div>'
        f'<div class="tt-gutter tt-khz" aria-hidden="true">{_frequency_ticks(sample_rate_hz)}</div>'
        f'<div class="tt-spectrum">{_wide(spectrum + curve + HEAD)}</div>'
        f"{lanes}{more}"
        f'<div class="tt-gutter">s</div><div class="tt-seconds" aria-hidden="true">{seconds}</div>'
        f"{_legend(track, label)}</figure>"
    )


def cepstrum_row(waveform: Floats, sample_rate_hz: int) -> str:
    drawn = _wide(cepstrum(waveform, sample_rate_hz) + HEAD)
    return f'<div class="tt-gutter">MFCC</div><div class="tt-spectrum tt-cepstrum">{drawn}</div>'


def power_below(
    waveform: Floats, sample_rate_hz: int, shares: tuple[float, ...]
) -> tuple[float, ...]:
    """The frequencies, in Hz, below which these shares of its power lie; none where it has none."""
    power = np.abs(np.fft.rfft(waveform - waveform.mean())) ** 2
    rising = np.cumsum(power)
    if rising[-1] == 0:
        return ()
    places = np.searchsorted(rising, np.array(shares) * rising[-1])
    return tuple((places * sample_rate_hz / len(waveform)).tolist())


def _wide(inside: str) -> str:
    """What is stretched and moved when somebody zooms: static/keys.js."""
    return f'<div class="tt-wide">{inside}</div>'


def even(evidence: Evidence, duration_s: float) -> Track:
    """Overlapping windows speak of the same moment twice: their scores are averaged."""
    starts = np.asarray(evidence.start_s)
    scores = np.asarray(evidence.scores).reshape(len(starts), len(evidence.labels))
    bins = int(np.clip(round(duration_s / evidence.step_s), 1, COLUMNS))
    total = np.zeros((bins, len(evidence.labels)))
    count = np.zeros((bins, 1))
    middle = (starts + evidence.step_s / 2) / max(duration_s, 1e-3) * bins
    at = np.clip(middle.astype(int), 0, bins - 1)
    np.add.at(total, at, scores)
    np.add.at(count, at, 1)
    with np.errstate(invalid="ignore"):
        return Track(evidence.labels, (total / np.where(count, count, np.nan)).T)


def _describe(duration_s: float, track: Track | None, label: str) -> str:
    words = t("Waveform and spectrogram of {seconds:.1f} seconds.", seconds=duration_s)
    if track is None or label not in track.labels:
        return words
    row = track.scores[track.labels.index(label)]
    if np.isnan(row).all():
        return words
    peak_s = duration_s * (int(np.nanargmax(row)) + 0.5) / len(row)
    likeliest = t(
        "{label} is likeliest at {seconds:.1f} s ({share}).",
        label=named(label),
        seconds=peak_s,
        share=percent(float(np.nanmax(row))),
    )
    return f"{words} {likeliest}"


def _envelope(waveform: Floats) -> str:
    """The lowest and highest sample of each column, scaled to the loudest."""
    edges = np.linspace(0, len(waveform), min(COLUMNS, len(waveform)) + 1).astype(int)
    peak = max(float(np.abs(waveform).max(initial=0)), 1e-4)
    high = np.maximum.reduceat(waveform, edges[:-1]) / peak
    low = np.minimum.reduceat(waveform, edges[:-1]) / peak
    x = np.linspace(0, COLUMNS, len(high))
    outline = [*zip(x, -high, strict=True), *zip(x[::-1], -low[::-1], strict=True)]
    points = " ".join(f"{a:.0f},{50 + 48 * b:.1f}" for a, b in outline)
    return _svg(f'<polygon points="{points}"/>')


def _svg(inside: str) -> str:
    return (
        f'<svg viewBox="0 0 {COLUMNS} 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{inside}</svg>"
    )


def _curve(track: Track, label: str) -> str:
    if label not in track.labels:
        return ""
    row = track.scores[track.labels.index(label)]
    heard = np.flatnonzero(~np.isnan(row))
    # From edge to edge: the first and the last frame reach as far as the clip does.
    x = np.interp(heard, [0, max(1, len(row) - 1)], [0, COLUMNS])
    points = " ".join(f"{a:.1f},{98 - 96 * b:.1f}" for a, b in zip(x, row[heard], strict=True))
    return _svg(f'<polyline class="tt-halo" points="{points}"/><polyline points="{points}"/>')


def _lanes(track: Track, label: str, duration_s: float) -> str:
    """The likeliest labels, each a strip that glows where the clip speaks for it."""
    order = sorted(range(len(track.labels)), key=lambda i: -float(np.nanmean(track.scores[i])))
    order.sort(key=lambda i: track.labels[i] != label)
    rows = []
    for i in order[:LANES]:
        name = named(track.labels[i])
        moments = _moments(name, track.scores[i], duration_s)
        rows.append(
            f'<div class="tt-gutter tt-name" title="{name}">{name}</div>'
            f'<div class="tt-lane">{_wide(glow(track.scores[i]) + moments)}</div>'
        )
    return "".join(rows)


def _moments(name: str, row: Doubles, duration_s: float) -> str:
    """Over what glows most a button each, which plays that stretch: static/moments.js."""
    known = np.nan_to_num(row)
    lit = known >= max(DARK, known.max() / 2)
    stretches = np.flatnonzero(np.diff(np.r_[0, lit, 0])).reshape(-1, 2)
    brightest = sorted(stretches, key=lambda one: -known[one[0] : one[1]].max())[:MOMENTS]
    return "".join(
        _moment(name, first / len(row), last / len(row), duration_s)
        for first, last in sorted(map(tuple, brightest))
    )


def _moment(name: str, start: float, end: float, duration_s: float) -> str:
    start_s, end_s = start * duration_s, end * duration_s
    said = t("{label}, from {start:.1f} to {end:.1f} s", label=name, start=start_s, end=end_s)
    return (
        f'<button type="button" class="tt-glow" data-from="{start_s:.2f}" data-to="{end_s:.2f}" '
        f'aria-label="{said}" style="left:{start:.2%};width:{end - start:.2%}"></button>'
    )


def _legend(track: Track | None, label: str) -> str:
    if track is None:
        return ""
    said = t(
        "how much each moment speaks for <b>{label}</b>, from 0 to 100 %",
        label=named(label),
    )
    return f'<figcaption><i class="tt-key"></i>{said}</figcaption>'


def _time_ticks(duration_s: float) -> str:
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
    step = next((s for s in steps if duration_s / s <= 6), steps[-1])
    fine = np.arange(0, duration_s + 1e-9, step / FINE).round(3)
    return "".join(
        f"<span{' class=tt-fine' if place % FINE else ''} "
        f'style="left:{100 * at_s / max(duration_s, 1e-3):.2f}%">{number(at_s, "g")}</span>'
        for place, at_s in enumerate(fine)
    )


def _frequency_ticks(sample_rate_hz: int) -> str:
    top_hz = sample_rate_hz / 2
    ticks = [hz for hz in (500, 1000, 2000, 4000, 8000, 16000) if hz <= 0.9 * top_hz]
    marks = "".join(
        f'<span style="bottom:{100 * _mel(hz) / _mel(top_hz):.1f}%">{number(hz / 1000, "g")}</span>'
        for hz in ticks
    )
    return f"{marks}<em>kHz</em>"


def _mel(hz: float) -> float:
    return float(np.log10(1 + hz / 700))
