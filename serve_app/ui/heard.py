"""From a clip's bytes and the service's answer to the figure that shows them together."""

from data.audio import decode
from data.domain import LimitSpec
from data.errors import ClipError
from serve_app.answers import DomainInfo, Prediction
from serve_app.ui.plots import clip_figure


def drawn(raw: bytes, domain: DomainInfo, found: Prediction) -> str:
    """At the rate the model hears. No figure is no reason to spoil an answer already given."""
    limits = LimitSpec(
        max_bytes=domain.limits.max_bytes, max_duration_s=domain.limits.max_duration_s
    )
    try:
        recording = decode(raw, sample_rate_hz=domain.sample_rate_hz, limits=limits)
    except ClipError:
        return ""
    return clip_figure(recording.samples, recording.sample_rate_hz, found.evidence, found.label)
