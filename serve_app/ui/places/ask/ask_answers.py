"""What the parts of Ask show while clips are asked about: one, several, or a long recording.

An answer is shown as soon as the service gives it. The figure is computed here, from the same
bytes, and follows a moment later.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import gradio as gr

from data.errors import TelltaleError
from serve_app.client.analysis_answers import Analysis
from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.account import ask, known
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import note
from serve_app.ui.places.ask import ask_card as card
from serve_app.ui.places.ask import ask_panel, ask_recording, ask_several
from serve_app.ui.places.ask.ask_history import Past
from serve_app.ui.places.ask.ask_recording import Ordered
from serve_app.ui.places.ask.ask_teach import Asked
from serve_app.ui.places.ask.given import Given
from serve_app.ui.wording import TOO_LARGE, again_in_s, with_again, words
from serve_app.ui.words.translate import mark, plural, t

FIGURES = {"audio": sound_figure.drawn, "image": photograph_figure.drawn}
GONE = mark("The clip is no longer here; give it once more.")
REFUSED = (ServiceError, TelltaleError, FileNotFoundError)
Shown = dict[Any, Any]
NONE = -1  # of the turns


@dataclass(frozen=True)
class Parts:
    drop: Any
    live: Any
    panel: Any  # of several clips, or of a long recording
    answer: Any
    figure: Any
    label: Any
    mask: Any
    outcome: Any
    asked: Any  # gr.State of Asked | None
    waiting: Any  # gr.State of Given | tuple[Given, ...] | None: found the service busy or away
    again: Any
    listed: Any  # gr.State of tuple[Given, ...]: what the panel can open
    rows: Any  # gr.State of tuple[Row, ...]: of several clips, what was answered so far
    turns: Any  # gr.State of Turns
    history: Any  # what was asked before

    @property
    def told(self) -> list[Any]:
        return [
            self.panel, self.answer, self.figure, self.label, self.mask, self.outcome, self.asked,
            self.waiting, self.again, self.listed, self.rows, self.history,
        ]  # fmt: skip

    def cleared(self) -> Shown:
        """All that is of one clip."""
        return {self.figure: "", self.outcome: "", self.asked: None} | self.patient()

    def patient(self) -> Shown:
        """Nothing waits to be asked again."""
        return {self.waiting: None, self.again: gr.update(active=False)}

    def emptied(self) -> Shown:
        """Neither the panel nor what it could open."""
        return {self.panel: "", self.listed: (), self.rows: ()}


@dataclass
class Turns:
    """Of one visitor: what he began last goes on, and what is older ends, but in the panel, beside
    which another clip may be opened. Gradio hands the same object to every call of a session."""

    now: int = 0
    domain: str = ""  # of what was begun last
    past: Past = field(default_factory=Past)
    panel: int = NONE  # the one that goes on in the panel

    def begin(self, domain: str = "", beside: bool = False) -> Callable[[], bool]:
        """Whether something else has begun since. `beside`: what goes on in the panel stays."""
        self.now += 1
        if not beside:
            self.panel = NONE
        self.domain = domain or self.domain
        return self.over()

    def over(self) -> Callable[[], bool]:
        """The same of what goes on already."""
        mine = self.now
        return lambda: mine not in {self.now, self.panel}

    def to_panel(self, turn: int) -> None:
        """It goes on there, whatever has begun beside it."""
        self.panel = turn

    def end_panel(self) -> None:
        """Another clip that is heard beside it goes on."""
        if self.panel in {NONE, self.now}:
            self.now += 1
        self.panel = NONE


@dataclass(frozen=True)
class Caller:
    """Who asks, of which domain, and what else he has asked."""

    client: Client
    domain: DomainInfo
    turns: Turns
    ordered: Ordered  # of everybody


def latest(over: Callable[[], bool], shown: Iterator[Shown]) -> Iterator[Shown]:
    """Ends with a change of nothing: Gradio draws the last one again when it has ended, which may
    be long after something newer has been drawn."""
    for one in shown:
        if over():
            break
        yield one
    yield gr.skip()


def hear_given(
    parts: Parts, caller: Caller, given: Sequence[Given], over: Callable[[], bool]
) -> Iterator[Shown]:
    """What is dropped decides: several files, or one."""
    if len(given) == 1:
        yield from hear_one(parts, caller, given[0], over, parts.emptied())
    else:
        yield parts.cleared() | parts.emptied() | {parts.answer: ""}
        yield from hear_several(parts, caller, given)


def hear_one(
    parts: Parts,
    caller: Caller,
    given: Given,
    over: Callable[[], bool],
    gone: Mapping[Any, Any] = MappingProxyType({}),
) -> Iterator[Shown]:
    """A recording that is too long for a clip is heard for its events. `gone`: what it takes the
    place of, beside another clip."""
    may_be_long = caller.domain.modality == "audio" and given.moment is None
    yield parts.cleared() | dict(gone) | {parts.answer: card.listening()}
    try:
        if not (may_be_long and (given.job or _is_large(given, caller.domain))):
            yield from _answer(parts, caller, given)
            return
    except REFUSED as error:
        if not (may_be_long and isinstance(error, ServiceError) and error.status == TOO_LARGE):
            yield _failed(parts, given, error)
            return
    yield from _hear_recording(parts, caller, given, over)


def _is_large(given: Given, domain: DomainInfo) -> bool:
    return given.path.stat().st_size > domain.limits.max_bytes


def _answer(parts: Parts, caller: Caller, given: Given) -> Iterator[Shown]:
    domain = caller.domain
    raw = given.read(domain)
    found, without_key = ask(caller.client.impatient(), domain.name, raw, given.name)
    asked = Asked(given, domain, found)
    caller.turns.past.remember(asked)
    said, past = card.answer(found, given.name) + without_key, caller.turns.past
    yield _carded(parts, asked, said) | {parts.history: past.listed(domain.name)}
    yield {parts.figure: FIGURES[domain.modality](raw, domain, found)}


def _carded(parts: Parts, asked: Asked, said: str) -> Shown:
    return {
        parts.answer: said,
        parts.label: gr.update(choices=card.choices(asked.domain, asked.found), value=None),
        parts.mask: None,
        parts.asked: asked,
    }


def show_again(parts: Parts, asked: Asked) -> Shown:
    """The answer as it was; of a clip that has gone meanwhile, without its figure."""
    shown = parts.cleared() | _carded(parts, asked, card.answer(asked.found, asked.given.name))
    try:
        raw = asked.given.read(asked.domain)
    except (TelltaleError, FileNotFoundError):
        return shown | {parts.outcome: note(t(GONE), "warn")}
    return shown | {parts.figure: FIGURES[asked.domain.modality](raw, asked.domain, asked.found)}


def _failed(parts: Parts, given: Given, error: Exception) -> Shown:
    if isinstance(error, FileNotFoundError):
        return {parts.answer: card.failure(t(GONE))}
    return {parts.answer: card.failure(with_again(error))} | _again(parts, given, error)


def _again(parts: Parts, given: Given | tuple[Given, ...], error: Exception) -> Shown:
    """Nothing where asking again does not help."""
    wait_s = again_in_s(error)
    if wait_s is None:
        return {}
    return {parts.waiting: given, parts.again: gr.update(value=wait_s, active=True)}


def hear_several(
    parts: Parts, caller: Caller, given: Sequence[Given], before: tuple[ask_several.Row, ...] = ()
) -> Iterator[Shown]:
    """What was answered stays, whatever ends it; after a stop by `stopped`. Of the rows `before`,
    those that failed are asked again."""
    listed, rows = tuple(given), before
    turn = caller.turns.now
    yield {parts.panel: _progress(rows, given)} | parts.patient()
    caller.turns.to_panel(turn)
    try:
        for rows in ask_several.asked(known(caller.client), caller.domain, given, before):
            yield {parts.panel: _progress(rows, given), parts.rows: rows, parts.listed: listed}
    except REFUSED as error:
        if again := _again(parts, listed, error):
            said = _progress(rows, given, f" {with_again(error)}") + _table(rows, given)
        else:
            why = t(GONE) if isinstance(error, FileNotFoundError) else words(error)
            said = note(f"{why} {_counted(rows, given)}.", "bad") if rows else card.failure(why)
            said += _table(rows, given)
        yield {parts.panel: said, parts.listed: listed} | again
    else:
        yield {parts.panel: _table(rows, given)}


def stopped(
    parts: Parts, turns: Turns, rows: Sequence[ask_several.Row], given: Sequence[Given]
) -> Shown:
    turns.end_panel()
    return {parts.panel: _halted(rows, given)} | parts.patient()


def beside(
    parts: Parts,
    rows: Sequence[ask_several.Row],
    waiting: Given | tuple[Given, ...] | None,
) -> Shown:
    """The panel beside another clip: what waits there waits no more, as its timer is the clip's."""
    return {parts.panel: _halted(rows, waiting)} if isinstance(waiting, tuple) else {}


def _halted(rows: Sequence[ask_several.Row], given: Sequence[Given]) -> str:
    said = t("Stopped: {said}.", said=_counted(rows, given)) if rows else t("Stopped.")
    return note(said) + _table(rows, given)


def turned_away(parts: Parts, turns: Turns, domain: DomainInfo) -> Shown:
    """An answer is of its own domain: with another one it goes, and what is under way ends."""
    if turns.domain == domain.name:  # a clip that was given before the domains were known
        return {}
    turns.begin(domain.name)
    told = {parts.answer: card.empty(), parts.history: turns.past.listed(domain.name)}
    return parts.cleared() | parts.emptied() | told


def _progress(rows: Sequence[ask_several.Row], given: Sequence[Given], more: str = "") -> str:
    return ask_panel.progress(f"{_counted(rows, given)}.{more}", len(rows) / len(given))


def _counted(rows: Sequence[ask_several.Row], given: Sequence[Given]) -> str:
    return plural(
        "{done} of {count} file answered",
        "{done} of {count} files answered",
        len(given),
        done=len(rows),
    )


def _table(rows: Sequence[ask_several.Row], given: Sequence[Given]) -> str:
    return ask_several.table(rows, given) if rows else ""


def _hear_recording(
    parts: Parts, caller: Caller, given: Given, over: Callable[[], bool]
) -> Iterator[Shown]:
    """By its job, which goes on after a trouble, and after the page was loaded again."""
    turn = caller.turns.now
    yield {parts.answer: "", parts.panel: ask_recording.progress(None, given.job)}
    caller.turns.to_panel(turn)
    try:
        client = known(caller.client)
        given = given if given.job else caller.ordered.order(client, caller.domain, given)
        for told in ask_recording.heard(client, caller.domain, given.job, over):
            if isinstance(told, Analysis):
                moments = ask_recording.moments(told, given)
                found = ask_recording.events(told, given)
                yield {parts.panel: found, parts.listed: moments, parts.rows: ()}
            else:
                yield {parts.panel: ask_recording.progress(told, given.job)}
    except REFUSED as error:
        yield parts.cleared() | parts.emptied() | _failed(parts, given, error)
