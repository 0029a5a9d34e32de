"""Kept clips as HTML, one of each label: chosen by its label, heard, and seen with its MFCCs or its
mask. For an admin, who alone may hear what others sent."""

from data.errors import TelltaleError
from serve_app.client.answers import DomainInfo, KeptClip
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import ago, heading, named, note, plain, short, text
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t


def shown(client: Client, domain: DomainInfo, label: str = "") -> str:
    """The newest that counts as `label`, or where that is none of the domain's, the newest of all;
    raises ServiceError."""
    chosen = label if label in domain.labels else ""
    kept = client.clips(domain.name, "accepted", label=chosen, limit=1)
    title = heading(t("A clip of each label"), t("the newest kept"))
    if kept:
        return f"{title}{_switch(domain, kept[0].label)}{_sample(client, domain, kept[0])}"
    at = chosen or domain.labels[0]
    return f"{title}{_switch(domain, at)}{note(_none(at))}"


def _switch(domain: DomainInfo, at: str | None) -> str:
    labels = "".join(
        f'<button type="button" data-act="sample" data-label="{text(label)}" '
        f'aria-pressed="{str(label == at).lower()}">{named(label)}</button>'
        for label in domain.labels
    )
    return f'<div class="tt-switch" role="group" aria-label="{t("Of which label")}">{labels}</div>'


def _none(label: str) -> str:
    return t("No clip of {label} is kept yet: add one in Teach.", label=plain(label))


def _sample(client: Client, domain: DomainInfo, clip: KeptClip) -> str:
    whose = f'<p class="tt-small">{short(clip.clip)}, {ago(clip.created)}</p>'
    try:
        raw = client.content(domain.name, clip.clip)
        if domain.modality == "audio":
            return sound_figure.studied(raw, domain) + whose
        mask = client.mask(domain.name, clip.clip) if clip.mask else None
        return photograph_figure.studied(raw, mask, domain) + whose
    except (TelltaleError, ServiceError) as error:  # one that is damaged or gone hides no other
        return note(words(error), "warn") + whose
