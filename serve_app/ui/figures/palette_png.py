"""Turns arrays into pictures a page can carry: palette PNGs as data addresses."""

import base64
import io

import numpy as np
from PIL import Image

from data.arrays import Bytes, Doubles, Floats, Integers
from data.domains.sections import LogMelSpec
from data.media.audio.features import LogMel
from data.media.audio.log_mel_means import mfcc

COLUMNS = 640  # as many as a wide screen shows
MELS = 80
RANGE_NATS = 14.0  # 60 dB between the darkest and the brightest colour
NIGHT = ((10, 17, 30), (20, 58, 92), (16, 126, 137), (122, 211, 170), (253, 247, 214))
EMBER = (255, 190, 92)


def spectrogram(waveform: Floats, sample_rate_hz: int) -> str:
    """Time to the right, mel frequency upwards."""
    log_mel = _log_mel(waveform, sample_rate_hz)
    top = float(np.quantile(log_mel, 0.999))
    floor = max(float(np.quantile(log_mel, 0.05)), top - RANGE_NATS)
    return _coloured(log_mel, floor, top)


def cepstrum(waveform: Floats, sample_rate_hz: int) -> str:
    """Time to the right, MFCCs upwards from the second: the first is the level, and outshines all
    others."""
    coefficients = mfcc(_log_mel(waveform, sample_rate_hz).T.astype(float)).T[1:]
    low, high = np.quantile(coefficients, (0.02, 0.98))
    return _coloured(coefficients, low, high)


def _coloured(rows: Floats | Doubles, floor: float, top: float) -> str:
    """Rows [bins, columns] from below, dark at the floor."""
    level = np.clip((rows - floor) / max(top - floor, 1.0), 0, 1)
    return _image((level[::-1] * 255).astype(np.uint8), _palette())


def _log_mel(waveform: Floats, sample_rate_hz: int) -> Floats:
    """[MELS, columns]. A column of a long recording shows the loudest that there is in its stretch
    of time, so that a short event can be seen at any length."""
    n_fft = 2 ** round(np.log2(sample_rate_hz * 0.05))
    padded = np.pad(waveform, (0, max(0, n_fft - len(waveform))))
    spec = LogMelSpec(
        n_fft=n_fft,
        hop_length=min(n_fft // 2, max(16, len(padded) // COLUMNS)),
        n_mels=MELS,
        fmin_hz=0,
        fmax_hz=sample_rate_hz / 2,
    )
    return _at_most(COLUMNS, LogMel(spec, sample_rate_hz)(padded))


def _at_most(columns: int, log_mel: Floats) -> Floats:
    frames = log_mel.shape[1]
    if frames <= 2 * columns:
        return log_mel
    starts = np.linspace(0, frames, columns, endpoint=False).astype(int)
    return np.maximum.reduceat(log_mel, starts, axis=1)


def glow(scores: Doubles) -> str:
    """One line of light from dark (0, or NaN) to bright (1)."""
    level = np.nan_to_num(scores * 255).astype(np.uint8)[np.newaxis]
    return _image(level, np.full((256, 3), EMBER), alpha=np.arange(256))


def strips(rows: Doubles) -> list[str]:
    """Each row [labels, bins] as one line of colours, dark where it is lowest of all."""
    low, high = rows.min(initial=np.inf), rows.max(initial=-np.inf)
    level = ((rows - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    return [_image(line[np.newaxis], _palette()) for line in level]


def _palette() -> Doubles:
    anchors = np.asarray(NIGHT, dtype=float)
    at = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(np.linspace(0, 1, 256), at, anchors[:, c]) for c in range(3)], 1)


def _image(
    pixels: Bytes,
    palette: Doubles | Integers,
    alpha: Integers | None = None,
) -> str:
    """A picture [rows, columns] whose values pick a colour of the palette."""
    picture = Image.fromarray(pixels)
    picture.putpalette(np.asarray(palette).round().astype(np.uint8).tobytes())
    transparency = {} if alpha is None else {"transparency": alpha.astype(np.uint8).tobytes()}
    out = io.BytesIO()
    picture.save(out, "PNG", **transparency)
    address = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="" src="data:image/png;base64,{address}">'
