"""Kept answers that people should be asked about, as clips of the review desk."""

from serve_app.client.answers import KeptClip, PredictionSummary
from serve_app.client.client import Client
from serve_app.client.kept_answers import KeptPrediction


class Unsure(KeptClip):
    """The clip of a kept prediction, which nobody has said anything of; `number` is the
    prediction's."""

    number: int
    why: str


def unsure(client: Client, domain: str) -> tuple[Unsure, ...]:
    """Those that it is most useful to ask about first; of one clip once."""
    found = client.kept_predictions(domain, order="ask")
    rows = {row.clip: _unsure(row) for row in reversed(found) if row.has_clip}
    return tuple(reversed(rows.values()))


def _unsure(row: KeptPrediction) -> Unsure:
    said = PredictionSummary(label=row.label, confidence=row.confidence, version=row.version)
    return Unsure(
        clip=row.clip,
        state="quarantined",
        created=row.created,
        model=said,
        number=row.id,
        why=row.why,
    )
