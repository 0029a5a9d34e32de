"""Adds clips with their labels: one for all, or the name of the folder that each is in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import ClipTooLarge
from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import Tone, badge, named, note, plain, table, text
from serve_app.ui.shared import QUIET, STREAMED, Shared, html, read_within, script
from serve_app.ui.wording import words
from serve_app.ui.words.translate import mark, t, told

TONES: dict[str, Tone] = {"stored": "good", "duplicate": "calm", "refused": "bad"}
OUTCOMES = {
    "stored": mark("stored"),
    "duplicate": mark("duplicate"),
    "refused": mark("not stored"),
}
COUNTED = {
    "stored": mark("{count} stored"),
    "duplicate": mark("{count} duplicate"),
    "refused": mark("{count} refused"),
}
# In the button's place is Stop meanwhile (add.js), or two lots would write to one table.
MAY_ADD = (
    "() => { document.querySelector('#adding form').classList.remove('tt-working'); return []; }"
)


@dataclass
class Stop:
    """Of one visitor: Gradio hands the same object to every call of a session. `lots` are those
    that are to end, also before they have begun."""

    lots: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Item:
    """A clip in the page's upload folder, and what it is to be called; "" leaves that to a mask."""

    clip: Path
    label: str
    mask: Path | None = None


@dataclass(frozen=True)
class Outcome:
    name: str
    label: str
    outcome: str
    reason: str


def build(shared: Shared) -> None:
    form = gr.HTML(
        "",
        elem_id="adding",
        apply_default_css=False,
        js_on_load=script("add.js"),
    )
    added = html(elem_id="added")
    stop = gr.State(Stop())

    def offer(name: str | None, domains: tuple[DomainInfo, ...]) -> Any:
        return fields(shared.domain_of(domains, name)) if name else gr.skip()

    def add(
        name: str | None,
        key: str,
        domains: tuple[DomainInfo, ...],
        stop: Stop,
        event: gr.EventData,
    ) -> Iterator[str]:
        client, done = shared.client.with_key(key), list[Outcome]()
        items, lot = items_of(event._data), lot_of(event._data)
        for item in items if name else ():
            if lot in stop.lots:
                break
            done.append(sent(client, shared.domain_of(domains, name), item))
            yield outcomes(done, len(items))

    def press(stop: Stop, event: gr.EventData) -> None:
        stop.lots.add(lot_of(event._data))

    shared.domain.change(offer, [shared.domain, shared.domains], form, **QUIET)
    # Of what is sent while another lot is being added, Gradio would take nothing by itself.
    many = {"trigger_mode": "multiple", "concurrency_limit": 4}
    asked = [shared.domain, shared.key, shared.domains, stop]
    sent_on = form.submit(add, asked, added, **many, **STREAMED)
    sent_on.then(None, None, None, js=MAY_ADD, **QUIET)
    form.stop(press, stop, None, **QUIET)


def lot_of(told: Any) -> int:
    """Of what add.js tells: which of its uploads this is."""
    return int(told.get("lot", 0)) if isinstance(told, dict) else 0


def items_of(told: Any) -> list[Item]:
    """What add.js tells; the guard has made sure that each path is one of the upload folder."""
    rows = told.get("items", []) if isinstance(told, dict) else []
    return [
        Item(
            Path(row["path"]),
            str(row.get("label", "")),
            Path(row["mask"]["path"]) if row.get("mask") else None,
        )
        for row in rows
    ]


def sent(client: Client, domain: DomainInfo, item: Item) -> Outcome:
    try:
        (taken,) = client.upload(
            domain.name,
            [(item.clip.name, read_within(item.clip, domain))],
            [item.label] if item.label else [],
            masks=[(item.clip.name, read_within(item.mask, domain))] if item.mask else [],
        ).results
    except (ServiceError, ClipTooLarge) as error:
        return Outcome(item.clip.name, item.label, "refused", words(error))
    return Outcome(item.clip.name, taken.label or "", taken.outcome, taken.reason)


def fields(domain: DomainInfo) -> str:
    """The form: of photographs a label for all only where nothing is, else a mask says where."""
    labels = domain.labels if domain.modality == "audio" else domain.labels[:1]
    folder = t("the name of its folder")
    elsewhere = folder if domain.modality == "audio" else t("what its mask marks")
    chips = "".join(
        f'<label><input type="radio" name="for-all" value="{text(value)}"{checked}>'
        f"<span>{text(words)}</span></label>"
        for value, words, checked in (
            ("", elsewhere, " checked"),
            *((label, plain(label), "") for label in labels),
        )
    )
    masks = "" if domain.modality == "audio" else _picker("masks", t("Masks, named as photographs"))
    return (
        f'<form class="tt-add" autocomplete="off"><div class="tt-picks">'
        f"{_picker('clips', t('Files'))}"
        f"{_picker('folder', t('Or a folder'), 'webkitdirectory')}{masks}"
        f'</div><fieldset class="tt-chips"><legend>{t("Each is called")}</legend>{chips}</fieldset>'
        f'<div class="tt-acts"><button type="button" id="add" class="tt-main">{t("Add clips")}'
        f'</button><button type="button" id="stop-adding">{t("Stop")}</button></div>'
        '<p class="tt-small" data-progress role="status"></p></form>'
    )


def _picker(name: str, words: str, more: str = "") -> str:
    return (
        f'<label class="tt-pick">{words}<input type="file" name="{name}" multiple {more}></label>'
    )


def outcomes(done: Sequence[Outcome], of: int) -> str:
    counts = {kind: sum(row.outcome == kind for row in done) for kind in TONES}
    said = ", ".join(t(COUNTED[kind], count=number) for kind, number in counts.items() if number)
    rows = [
        [
            text(row.name),
            named(row.label or "–"),
            f"{badge(t(OUTCOMES[row.outcome]), TONES[row.outcome])} {text(told(row.reason))}",
        ]
        for row in done
    ]
    progress = note(
        t("{done} of {count}: {said}.", done=len(done), count=of, said=said),
        "good" if len(done) == of else "calm",
    )
    return progress + table([t("File"), t("Label"), t("Outcome")], rows, "")
