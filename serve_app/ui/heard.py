"""From a clip's bytes and the service's answer to the figure that shows them together."""

from data.audio import decode
from data.errors import ClipError
from data.sections import LimitSpec
from serve_app.answers import DomainInfo, Evidence, Prediction
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
    evidence = found.evidence if isinstance(found.evidence, Evidence) else None
    return clip_figure(recording.samples, recording.sample_rate_hz, evidence, found.label)
