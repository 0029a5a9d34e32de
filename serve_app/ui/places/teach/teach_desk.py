"""The review desk: which clips wait, which one is looked at, what is decided, and the way back.

A decision names the clip that it is about, and changes the list as it is here: nothing is asked of
the service but the decision, so that a list that changes there never moves what is looked at.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from serve_app.client.answers import DomainInfo, KeptClip
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note
from serve_app.ui.places.teach import teach_view as view
from serve_app.ui.places.teach.teach_unsure import Unsure, unsure
from serve_app.ui.wording import words
from serve_app.ui.words.translate import mark, t

WAITING, DOUBTED, DONE = "waiting", "doubted", "done"
LOCKED = mark("Enter an admin's key under “Key” to see and decide.")


@dataclass(frozen=True)
class Desk:
    """`decided` are clips as they were before, the last one last; `told`, and `refused` in place of
    the list, are HTML."""

    which: str = WAITING
    queue: tuple[KeptClip, ...] = ()
    at: str = ""  # the sha256 of the clip that is looked at
    decided: tuple[KeptClip, ...] = ()
    told: str = ""
    refused: str = ""

    @property
    def clip(self) -> KeptClip | None:
        return find(self, self.at)


def find(desk: Desk, clip: str) -> KeptClip | None:
    return next((row for row in desk.queue if row.clip == clip), None)


def waiting(client: Client, domain: DomainInfo) -> tuple[KeptClip, ...]:
    """What it is most useful to decide upon first: clips that the model calls something else, what
    a check doubts, all others that wait, and answers that were not sure, of which nobody has said
    anything yet."""
    sent = client.clips(domain.name, waiting=True, doubted=True)
    disagreed = [row for row in sent if row.model and row.model.label != row.label]
    doubted = client.clips(domain.name, flagged=True)
    asked: tuple[KeptClip, ...] = ()
    if domain.keeps_predictions:
        with suppress(ServiceError):  # before there is a model nothing is unsure
            asked = unsure(client, domain.name)
    return tuple({row.clip: row for row in (*disagreed, *doubted, *sent, *asked)}.values())


def done(client: Client, domain: DomainInfo) -> tuple[KeptClip, ...]:
    return *client.clips(domain.name, "rejected"), *client.clips(domain.name, "accepted")


ASK: dict[str, Callable[[Client, DomainInfo], tuple[KeptClip, ...]]] = {
    WAITING: waiting,
    DOUBTED: lambda client, domain: client.clips(domain.name, flagged=True),
    DONE: done,
}


def opened(client: Client, domain: DomainInfo, desk: Desk) -> Desk:
    """With the list as it is now; what was looked at still is, if it is still there."""
    if not client.key:
        return Desk(desk.which, refused=note(t(LOCKED)))
    try:
        found = ASK[desk.which](client, domain)
    except ServiceError as error:
        return Desk(desk.which, refused=note(words(error), "warn"))
    kept = desk.at in [row.clip for row in found]
    first = found[0].clip if found else ""
    return replace(desk, queue=found, at=desk.at if kept else first, told="", refused="")


def shown(desk: Desk, clip: KeptClip) -> Desk:
    return replace(desk, at=clip.clip, told="")


def stepped(desk: Desk, by: int) -> Desk:
    places = [row.clip for row in desk.queue]
    if desk.at not in places:
        return desk
    place = min(max(places.index(desk.at) + by, 0), len(places) - 1)
    return replace(desk, at=places[place], told="")


def accepted(client: Client, domain: str, desk: Desk, clip: KeptClip, label: str) -> Desk:
    """`label` may be the receipt of a correction that is taken as it is, with its mask."""
    if not label:
        return replace(desk, told=note(t("Say what it is first: choose a label."), "warn"))

    if isinstance(clip, Unsure):
        return _labelled(client, domain, desk, clip, label)

    def act() -> KeptClip:
        if label in {said.receipt for said in clip.waiting}:
            client.accept_correction(domain, label)
        elif label != clip.label:
            client.relabel(domain, clip.clip, label)
        return client.accept(domain, clip.clip)

    return _decided(desk, clip, act)


def _labelled(client: Client, domain: str, desk: Desk, clip: Unsure, label: str) -> Desk:
    """What is a correction now can be undone where all corrections are."""
    try:
        client.label_prediction(domain, clip.number, label)
    except ServiceError as error:
        left = _without(desk, clip) if error.status == 404 else desk
        return replace(left, told=note(words(error), "bad"))
    return replace(_without(desk, clip), told=view.counts(clip, label))


def rejected(client: Client, domain: str, desk: Desk, clip: KeptClip, reason: str) -> Desk:
    return _decided(desk, clip, lambda: client.reject(domain, clip.clip, reason))


def _decided(desk: Desk, clip: KeptClip, act: Callable[[], KeptClip]) -> Desk:
    try:
        now = act()
    except ServiceError as error:
        gone = error.status == 404
        left = _without(desk, clip) if gone else desk
        return replace(left, told=note(words(error), "bad"))
    # The service keeps no review of what changes nothing: an undo would find the one before.
    decided = desk.decided if view.unchanged(now, clip) else (*desk.decided, clip)
    return replace(_without(desk, clip), decided=decided, told=view.decided(now))


def undone(client: Client, domain: str, desk: Desk) -> Desk:
    """A decision may be two steps, another label and its acceptance; as many are taken back."""
    if not desk.decided:
        return replace(desk, told=note(t("Nothing was decided here that could be undone.")))
    *earlier, before = desk.decided
    left = replace(desk, decided=tuple(earlier))
    try:
        for _ in range(2):
            now = client.undo(domain, before.clip)
            if view.same(now, before):
                break
    except ServiceError as error:
        settled = error.status in {404, 409}  # there is nothing left to be undone
        return replace(left if settled else desk, told=note(words(error), "bad"))
    rest = tuple(row for row in desk.queue if row.clip != before.clip)
    return replace(left, queue=(now, *rest), at=now.clip, told=view.undone(now))


def forgotten(client: Client, domain: str, desk: Desk, clip: KeptClip) -> Desk:
    try:
        gone = client.forget(domain, clip.clip)
    except ServiceError as error:
        return replace(desk, told=note(words(error), "bad"))
    decided = tuple(row for row in desk.decided if row.clip != clip.clip)
    return replace(_without(desk, clip), decided=decided, told=view.forgotten(gone))


def _without(desk: Desk, clip: KeptClip) -> Desk:
    """The next one takes its place, or the one before where it was the last."""
    places = [row.clip for row in desk.queue]
    if clip.clip not in places:
        return desk
    place = places.index(clip.clip)
    rest = tuple(row for row in desk.queue if row.clip != clip.clip)
    at = rest[min(place, len(rest) - 1)].clip if rest else ""
    return replace(desk, queue=rest, at=at if desk.at == clip.clip else desk.at)
