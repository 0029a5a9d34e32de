"""A correction from the card: sent, and where somebody may, taught at once and followed until the
card can be turned over to what is answered now."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from serve_app.client.answers import DomainInfo, MaskEvidence, Prediction, Receipt
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note, text
from serve_app.ui.places.ask.given import Given
from serve_app.ui.places.receipt_timeline import (
    before_after,
    received,
    step,
    steps_html,
    thanks,
)
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t, told


@dataclass(frozen=True)
class Asked:
    """What the card shows: the clip, of which domain it was asked, and the answer."""

    given: Given
    domain: DomainInfo
    found: Prediction


def sent(client: Client, asked: Asked, label: str, mask: bytes | None) -> Receipt:
    """Raises ServiceError, ClipError. A moment is of its recording's group: what is learnt from one
    part is no proof on another."""
    given, raw = asked.given, asked.given.read(asked.domain)
    return client.correct(
        asked.domain.name, raw, label, name=given.name, mask=mask, group=given.recording
    )


def as_answered(asked: Asked) -> tuple[str, bytes | None]:
    """Label and mask of an answer that is right."""
    evidence = asked.found.evidence
    mask = base64.b64decode(evidence.mask_png) if isinstance(evidence, MaskEvidence) else None
    marked = asked.found.measure is not None and asked.found.measure.area_percent > 0
    return asked.found.label, mask if marked else None


def taught(client: Client, asked: Asked, receipt: Receipt) -> Iterator[str]:
    """HTML, from received over learning to live; the last says what became of it."""
    if receipt.state != "accepted":
        yield thanks(receipt)
        return
    domain = asked.domain.name
    first = received(receipt)
    yield steps_html([first, step(t("Learning"), t("the order is on its way"), "now")])
    try:
        run = client.retrain(domain, "teach", f"one correction: {receipt.label}")
        for event in client.follow(domain, run.id):
            if event.kind == "step":
                said = text(told(str(event.detail.get("message", ""))))
                yield steps_html([first, step(t("Learning"), said, "now")])
        result = client.run(domain, run.id).result
        line = client.receipt(domain, receipt.receipt)
    except ServiceError as error:
        later = t("Your correction is kept; the next retrain learns from it.")
        yield steps_html([first], note(f"{words(error)} {later}", "warn"))
        return
    if line.state != "accepted":  # held back meanwhile; without it others may have gone live
        learnt = step(t("Not learnt"), text(told(line.reason)), "bad")
    elif result and result.promoted and result.version:
        live = t("Live: version {version}", version=result.version)
        learnt = step(live, text(told(line.note) if line.note else _counted(line)), "done")
    else:
        why = "; ".join(map(told, result.reasons)) or told(result.message) if result else ""
        why = why or t("the run did not end well")
        said = f"{text(why)}. {t('The version before stays.')}"
        learnt = step(t("Not learnt"), said, "bad")
    yield steps_html([first, learnt], before_after(line))


def _counted(line: Receipt) -> str:
    if line.version:
        return t("every replica answers with it")
    return t("it waits for the next retrain")
