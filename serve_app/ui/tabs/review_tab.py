"""The Review tab: kept clips with what checks say of them, heard or seen, and decided upon."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from data.errors import TelltaleError
from serve_app.client.answers import DomainInfo, KeptClip
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import heading, note
from serve_app.ui.shared import QUIET, Shared, find, html, words
from serve_app.ui.tabs import review_view as view

WAITING, FLAGGED, ACCEPTED = "waiting", "flagged", "accepted"
WHICH = [
    ("Waiting for a decision", WAITING),
    ("Flagged by a check", FLAGGED),
    ("Accepted", ACCEPTED),
]
ASK: dict[str, Callable[[Client, str], tuple[KeptClip, ...]]] = {
    WAITING: lambda client, domain: client.clips(domain, waiting=True),
    FLAGGED: lambda client, domain: client.clips(domain, flagged=True),
    ACCEPTED: lambda client, domain: client.clips(domain, "accepted"),
}
EMPTY = {
    WAITING: "No clip waits for a decision.",
    FLAGGED: "No check has anything to say.",
    ACCEPTED: "No clip is kept yet.",
}
LOCKED = "Enter an admin's key under “Key” to see and decide."


def _heard(client: Client, domain: DomainInfo, clip: KeptClip) -> str:
    return sound_figure.played(client.content(domain.name, clip.clip), domain)


def _seen(client: Client, domain: DomainInfo, clip: KeptClip) -> str:
    raw = client.content(domain.name, clip.clip)
    mask = client.mask(domain.name, clip.clip) if clip.mask else None
    figures = [photograph_figure.shown(raw, mask, domain)]
    for number, said in enumerate(view.masked(clip), 1):
        mask = client.correction_mask(domain.name, said.receipt)
        figures += [heading(f"Correction {number}"), photograph_figure.shown(raw, mask, domain)]
    return "".join(figures)


SHOW: dict[str, Callable[[Client, DomainInfo, KeptClip], str]] = {"audio": _heard, "image": _seen}


@dataclass(frozen=True)
class Parts:
    which: Any
    queue: Any
    found: Any  # gr.State of tuple[KeptClip, ...]
    clip: Any
    shown: Any
    label: Any
    accept: Any
    reason: Any
    reject: Any
    said: Any


def build(shared: Shared, tab: Any) -> None:
    which = gr.Radio(WHICH, value=WAITING, label="Clips", elem_id="which")
    queue = html(note(LOCKED), elem_id="queue")
    html(heading("One clip", "heard or seen before it is decided"))
    clip = _choice("Clip", "kept")
    shown = html(elem_id="shown")
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        label = _choice("It is", "its-label")
        accept = gr.Button("Accept", variant="primary", elem_id="accept", min_width=120)
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        reason = gr.Textbox(
            label="Or why not", max_length=500, elem_id="why-not", elem_classes="tt-plain"
        )
        reject = gr.Button("Reject", elem_id="reject", min_width=120)
    said = html(elem_id="decided")
    found = gr.State(())
    _wire(shared, Parts(which, queue, found, clip, shown, label, accept, reason, reject, said), tab)


def _choice(label: str, elem_id: str) -> Any:
    return gr.Dropdown(
        label=label,
        choices=[],
        filterable=False,
        elem_id=elem_id,
        elem_classes="tt-plain",
        min_width=220,
    )


def _wire(shared: Shared, parts: Parts, tab: Any) -> None:
    def look(
        which: str,
        name: str | None,
        key: str,
        domains: tuple[DomainInfo, ...],
        clip: str | None,
    ) -> dict[Any, Any]:
        client = shared.client.with_key(key)
        return _listed(parts, client, which, find(domains, name), clip) if name else {}

    def show(
        clip: str | None, found: tuple[KeptClip, ...], domains: tuple[DomainInfo, ...], name: str
    ) -> dict[Any, Any]:
        chosen = _chosen(clip, found)
        return {parts.shown: "", parts.label: _called(chosen, find(domains, name))}

    def play(
        clip: str | None,
        found: tuple[KeptClip, ...],
        domains: tuple[DomainInfo, ...],
        name: str,
        key: str,
    ) -> str:
        chosen = _chosen(clip, found)
        if not chosen:
            return ""
        try:
            domain = find(domains, name)
            figure = SHOW[domain.modality](shared.client.with_key(key), domain, chosen)
            return view.named(chosen) + figure
        except (ServiceError, TelltaleError) as error:
            return note(words(error), "warn")

    def accept(
        clip: str | None, label: str | None, found: tuple[KeptClip, ...], name: str, key: str
    ) -> str:
        client, chosen = shared.client.with_key(key), _chosen(clip, found)
        if not chosen or not label:
            return note("Choose a clip and what it is first.", "warn")

        def act() -> KeptClip:
            if label in {said.receipt for said in chosen.waiting}:
                client.accept_correction(name, label)
            elif label != chosen.label:
                client.relabel(name, chosen.clip, label)
            return client.accept(name, chosen.clip)

        return _decide(act)

    def reject(clip: str | None, reason: str, name: str, key: str) -> str:
        if not clip:
            return note("Choose a clip first.", "warn")
        return _decide(lambda: shared.client.with_key(key).reject(name, clip, reason))

    asked = [parts.which, shared.domain, shared.key, shared.domains, parts.clip]
    listed = [parts.queue, parts.found, parts.clip, parts.shown, parts.label]
    for moment in (tab.select, shared.domain.change, shared.key.submit, parts.which.change):
        moment(look, asked, listed, **QUIET)
    chosen = [parts.clip, parts.found, shared.domains, shared.domain]
    parts.clip.change(show, chosen, [parts.shown, parts.label], **QUIET).then(
        # Else a clip chosen while another one is on its way would never be shown.
        play,
        [*chosen, shared.key],
        parts.shown,
        trigger_mode="always_last",
        **QUIET,
    )
    who = [shared.domain, shared.key]
    for button, act, inputs in (
        (parts.accept, accept, [parts.clip, parts.label, parts.found, *who]),
        (parts.reject, reject, [parts.clip, parts.reason, *who]),
    ):
        button.click(act, inputs, parts.said, **QUIET).then(look, asked, listed, **QUIET)


def _chosen(clip: str | None, found: tuple[KeptClip, ...]) -> KeptClip | None:
    return next((row for row in found if row.clip == clip), None)


def _called(clip: KeptClip | None, domain: DomainInfo) -> Any:
    labels = view.labels(domain, clip) if clip else []
    value = clip.label if clip and clip.label in labels else None
    return gr.update(choices=labels, value=value)


def _listed(
    parts: Parts, client: Client, which: str, domain: DomainInfo, shown: str | None
) -> dict[Any, Any]:
    """With the first clip chosen, and at once what it is called: an admin may decide before the
    page has asked again."""
    nothing = {
        parts.found: (),
        parts.clip: gr.update(choices=[], value=None),
        parts.shown: "",
        parts.label: _called(None, domain),
    }
    if not client.key:
        return nothing | {parts.queue: note(LOCKED)}
    try:
        found = ASK[which](client, domain.name)
    except ServiceError as error:
        return nothing | {parts.queue: note(words(error), "warn")}
    listed = nothing | {parts.queue: view.clips(found, EMPTY[which])}
    if not found:
        return listed
    first = found[0]
    if first.clip == shown:
        listed.pop(parts.shown)  # nothing changes, so nothing would show it again
    return listed | {
        parts.found: found,
        parts.clip: gr.update(choices=view.choices(found), value=first.clip),
        parts.label: _called(first, domain),
    }


def _decide(act: Callable[[], KeptClip]) -> str:
    try:
        return view.decided(act())
    except ServiceError as error:
        return note(words(error), "bad")
