"""The Review tab: kept clips, what checks and the model say of them, and what is decided of them.

Nothing is chosen beforehand: whoever accepts says what it is, and what was decided can be undone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from data.errors import TelltaleError
from serve_app.client.answers import DomainInfo, KeptClip, Prediction
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import heading, note
from serve_app.ui.shared import QUIET, Shared, find, html
from serve_app.ui.tabs import review_view as view
from serve_app.ui.wording import words

WAITING, FLAGGED, ACCEPTED, REJECTED = "waiting", "flagged", "accepted", "rejected"
WHICH = [
    ("Waiting for a decision", WAITING),
    ("Flagged by a check", FLAGGED),
    ("Accepted", ACCEPTED),
    ("Rejected", REJECTED),
]
ASK: dict[str, Callable[[Client, str], tuple[KeptClip, ...]]] = {
    WAITING: lambda client, domain: client.clips(domain, waiting=True),
    FLAGGED: lambda client, domain: client.clips(domain, flagged=True),
    ACCEPTED: lambda client, domain: client.clips(domain, "accepted"),
    REJECTED: lambda client, domain: client.clips(domain, "rejected"),
}
EMPTY = {
    WAITING: "No clip waits for a decision.",
    FLAGGED: "No check has anything to say.",
    ACCEPTED: "No clip is kept yet.",
    REJECTED: "No clip was rejected.",
}
LOCKED = "Enter an admin's key under “Key” to see and decide."


@dataclass(frozen=True)
class Seen:
    """A kept clip with its bytes, and what the model that serves says of it, where it answers."""

    clip: KeptClip
    raw: bytes
    found: Prediction | None


def _sound(client: Client, domain: DomainInfo, seen: Seen) -> str:
    return sound_figure.played(seen.raw, domain, seen.found)


def _photograph(client: Client, domain: DomainInfo, seen: Seen) -> str:
    clip, raw = seen.clip, seen.raw
    mask = client.mask(domain.name, clip.clip) if clip.mask else None
    figures = [photograph_figure.shown(raw, mask, domain)]
    for number, said in enumerate(view.masked(clip), 1):
        mask = client.correction_mask(domain.name, said.receipt)
        figures += [heading(f"Correction {number}"), photograph_figure.shown(raw, mask, domain)]
    if seen.found:
        figures += [heading("The model"), photograph_figure.drawn(raw, domain, seen.found)]
    return "".join(figures)


SHOW: dict[str, Callable[[Client, DomainInfo, Seen], str]] = {
    "audio": _sound,
    "image": _photograph,
}


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
    decided: Any  # gr.State of tuple[KeptClip, ...]: the last clip as it was, to be undone
    undo: Any


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
    with gr.Row(elem_classes="tt-actions"):
        undo = gr.Button("Undo", elem_id="undo", min_width=120, visible=False)
    parts = Parts(
        which, queue, gr.State(()), clip, shown, label, accept, reason, reject, said,
        gr.State(()), undo,
    )  # fmt: skip
    _wire(shared, parts, tab)


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
        listed = name and _listed(parts, client, which, find(domains, name), clip)
        return listed or gr.skip()

    def show(
        clip: str | None, found: tuple[KeptClip, ...], domains: tuple[DomainInfo, ...], name: str
    ) -> dict[Any, Any]:
        chosen = _chosen(clip, found)
        return {
            parts.shown: "",
            parts.label: _called(chosen, find(domains, name)),
            parts.reason: "",  # it was why another clip is not right
        }

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
            return _shown(shared.client.with_key(key), find(domains, name), chosen)
        except (ServiceError, TelltaleError) as error:
            return note(words(error), "warn")

    def accept(
        clip: str | None, label: str | None, found: tuple[KeptClip, ...], name: str, key: str
    ) -> dict[Any, Any]:
        client, chosen = shared.client.with_key(key), _chosen(clip, found)
        if not chosen or not label:
            return {parts.said: note("Say what it is first: choose it under “It is”.", "warn")}

        def act() -> KeptClip:
            if label in {said.receipt for said in chosen.waiting}:
                client.accept_correction(name, label)
            elif label != chosen.label:
                client.relabel(name, chosen.clip, label)
            return client.accept(name, chosen.clip)

        return _decide(parts, chosen, act)

    def reject(
        clip: str | None, reason: str, found: tuple[KeptClip, ...], name: str, key: str
    ) -> dict[Any, Any]:
        client, chosen = shared.client.with_key(key), _chosen(clip, found)
        if not chosen:
            return {parts.said: note("Choose a clip first.", "warn")}
        return _decide(parts, chosen, lambda: client.reject(name, chosen.clip, reason))

    def undo(decided: tuple[KeptClip, ...], name: str, key: str) -> dict[Any, Any]:
        client = shared.client.with_key(key)
        said = "".join(_undone(client, name, clip) for clip in decided)
        return {parts.said: said, parts.decided: (), parts.undo: gr.update(visible=False)}

    def forget_decided() -> dict[Any, Any]:
        """What was decided last was of another domain."""
        return {parts.said: "", parts.decided: (), parts.undo: gr.update(visible=False)}

    asked = [parts.which, shared.domain, shared.key, shared.domains, parts.clip]
    listed = [parts.queue, parts.found, parts.clip, parts.shown, parts.label]
    outcome = [parts.said, parts.decided, parts.undo, parts.reason]
    shared.domain.change(forget_decided, None, outcome[:3], **QUIET)
    entered = shared.key_entered
    for moment in (tab.select, shared.domain.change, *entered, parts.which.change):
        moment(look, asked, listed, **QUIET)
    chosen = [parts.clip, parts.found, shared.domains, shared.domain]
    parts.clip.change(show, chosen, [parts.shown, parts.label, parts.reason], **QUIET).then(
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
        (parts.reject, reject, [parts.clip, parts.reason, parts.found, *who]),
        (parts.undo, undo, [parts.decided, *who]),
    ):
        button.click(act, inputs, outcome, **QUIET).then(look, asked, listed, **QUIET)


def _chosen(clip: str | None, found: tuple[KeptClip, ...]) -> KeptClip | None:
    return next((row for row in found if row.clip == clip), None)


def _called(clip: KeptClip | None, domain: DomainInfo) -> Any:
    """None is chosen: what somebody sent would else be accepted by a click that passes over it."""
    return gr.update(choices=view.labels(domain, clip) if clip else [], value=None)


def _shown(client: Client, domain: DomainInfo, clip: KeptClip) -> str:
    raw = client.content(domain.name, clip.clip)
    seen = Seen(clip, raw, _heard(client, domain.name, raw))
    views = view.named(clip) + view.both_views(clip, seen.found)
    return views + SHOW[domain.modality](client, domain, seen)


def _heard(client: Client, domain: str, raw: bytes) -> Prediction | None:
    """The model's own view helps to decide; without it one can decide all the same."""
    try:
        return client.predict(domain, raw, evidence=True)
    except ServiceError:
        return None


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


def _decide(parts: Parts, before: KeptClip, act: Callable[[], KeptClip]) -> dict[Any, Any]:
    try:
        said = view.decided(act())
    except ServiceError as error:
        return {parts.said: note(words(error), "bad")}
    return {
        parts.said: said,
        parts.decided: (before,),
        parts.undo: gr.update(visible=True),
        parts.reason: "",
    }


def _undone(client: Client, domain: str, before: KeptClip) -> str:
    """A decision may be two steps, another label and its acceptance; as many are taken back."""
    try:
        for _ in range(2):
            now = client.undo(domain, before.clip)
            if view.same(now, before):
                break
    except ServiceError as error:
        return note(words(error), "bad")
    return note(f"Undone: clip {now.clip[:8]} is {now.state} as {now.label or 'nothing'} again.")
