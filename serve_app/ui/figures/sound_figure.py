"""From a clip's bytes and the service's answer to the figure that shows them together."""

import base64

from data.domains.sections import LimitSpec
from data.errors import ClipError
from data.media.audio.recording import decode, encoded
from data.media.audio.waveform import Recording
from serve_app.client.answers import DomainInfo, Evidence, Prediction
from serve_app.ui.figures.sound_plots import cepstrum_row, clip_figure, power_below
from serve_app.ui.words.translate import t


def drawn(raw: bytes, domain: DomainInfo, found: Prediction) -> str:
    """No figure is no reason to spoil an answer already given."""
    try:
        return played(raw, domain, found)
    except ClipError:
        return ""


def played(raw: bytes, domain: DomainInfo, found: Prediction | None) -> str:
    """A player and the figure, of what the model hears; raises ClipError."""
    recording = _decoded(raw, domain)
    evidence = found.evidence if found and isinstance(found.evidence, Evidence) else None
    label = found.label if found else ""
    samples, rate_hz = recording.samples, recording.sample_rate_hz
    return _heard(recording, clip_figure(samples, rate_hz, evidence, label))


def studied(raw: bytes, domain: DomainInfo) -> str:
    """The same with its MFCCs, and a sentence of where its power lies, if any; raises ClipError."""
    recording = _decoded(raw, domain)
    samples, rate_hz = recording.samples, recording.sample_rate_hz
    figure = clip_figure(samples, rate_hz, None, "", cepstrum_row(samples, rate_hz))
    return f"{_power(recording)}{_heard(recording, figure)}"


def _power(recording: Recording) -> str:
    found = power_below(recording.samples, recording.sample_rate_hz, (0.5, 0.9))
    if not found:
        return ""
    said = t(
        "Half of its power lies below {half:,.0f} Hz, nine tenths below {most:,.0f} Hz.",
        half=found[0],
        most=found[1],
    )
    return f"<p>{said}</p>"


def _heard(recording: Recording, figure: str) -> str:
    heard = encoded(recording.samples, recording.sample_rate_hz)
    address = base64.b64encode(heard).decode()
    player = f'<audio class="tt-player" controls src="data:audio/wav;base64,{address}"></audio>'
    return f'<div class="tt-sound">{player}{_zoom()}{figure}</div>'


def _zoom() -> str:
    """static/keys.js."""
    buttons = "".join(
        f'<button type="button" class="tt-mini" data-zoom-key="{key}" aria-label="{named}">{sign}'
        "</button>"
        for key, sign, named in (
            ("-", "−", t("Show more")),
            ("0", "1×", t("Show all, 1×")),
            ("+", "+", t("Show closer")),
        )
    )
    return f'<div class="tt-zoom" role="group" aria-label="{t("Zoom")}">{buttons}</div>'


def _decoded(raw: bytes, domain: DomainInfo) -> Recording:
    limits = LimitSpec(
        max_bytes=domain.limits.max_bytes, max_duration_s=domain.limits.max_duration_s
    )
    return decode(raw, sample_rate_hz=domain.sample_rate_hz, limits=limits)
