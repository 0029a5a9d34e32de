"""A long recording: a job of the service listens to it and tells how far it is; then its events as
a strip with a lane for each label, and as a table."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace

from models.analysis.sound_events import Event
from models.analysis.tables import TABLES
from serve_app.client.analysis_answers import Analysis, Progress, RecordingEvent
from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.long_analysis import LOOK_AGAIN_S, OPEN
from serve_app.client.long_analysis import found as found_by
from serve_app.ui.markup import named, note, percent, text
from serve_app.ui.places.ask import ask_panel as panel
from serve_app.ui.places.ask.given import Given
from serve_app.ui.words.translate import number, t
from serve_app.ui.words.translate import told as translated

MOST_ORDERED = 300  # as many as there are sessions
LISTED = 300  # events of a table; a day has thousands
DOWNLOADS = (
    ("csv", "events.csv", "CSV"),
    ("audacity", "labels.txt", "Audacity"),
    ("raven", "selections.txt", "Raven"),
)


class Ordered:
    """The recordings that are listened to, by their jobs, whose ids nobody can guess: a page that
    is loaded again goes on with what it began."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, Given]] = {}

    def order(self, client: Client, domain: DomainInfo, given: Given) -> Given:
        """The recording with its job; raises ServiceError."""
        with given.path.open("rb") as file:
            ordered = replace(given, job=client.order_recording(domain.name, file).id)
        self._given[ordered.job] = domain.name, ordered
        while len(self._given) > MOST_ORDERED:
            del self._given[next(iter(self._given))]
        return ordered

    def find(self, domain: DomainInfo, job: str) -> Given | None:
        name, given = self._given.get(job, ("", None))
        return given if name == domain.name else None


def heard(
    client: Client, domain: DomainInfo, job_id: str, over: Callable[[], bool]
) -> Generator[Progress | Analysis]:
    """Raises ServiceError. Once it is over the job ends as well; where the page is closed it goes
    on, for when that is loaded again."""
    try:
        while not over():
            job = client.job(domain.name, job_id)
            if job.state not in OPEN:
                yield found_by(job)
                return
            yield job
            time.sleep(LOOK_AGAIN_S)
    finally:
        if over():  # and whoever closes this, Gradio's event loop, is not to wait for an answer
            threading.Thread(target=_end, args=(client, domain.name, job_id), daemon=True).start()


def _end(client: Client, domain: str, job_id: str) -> None:
    with suppress(ServiceError):
        client.cancel_job(domain, job_id)


def progress(so_far: Progress | None, job: str) -> str:
    if so_far is None:
        return panel.progress(t("A long recording: it is on its way"), None, job)
    words = t("A long recording: {time} heard", time=clock(so_far.heard_s))
    words += "" if so_far.done is None else f", {100 * so_far.done:.0f} %"
    return panel.progress(words, so_far.done, job)


def moments(found: Analysis, given: Given) -> tuple[Given, ...]:
    """Each event's, a window long at least."""
    most_s = found.recording.duration_s
    parts = []
    for event in found.events[:LISTED]:
        spare = max(0.0, found.window_s - (event.end_s - event.start_s)) / 2
        start_s = max(0.0, event.start_s - spare)
        part = (start_s, min(most_s, event.end_s + spare))
        parts.append(Given(f"{given.name}, {clock(event.start_s)}", given.path, part, given.name))
    return tuple(parts)


def events(found: Analysis, given: Given) -> str:
    recording = found.recording
    counted = ", ".join(f"{count} × {named(label)}" for label, count in found.labels.items())
    warning = "".join(note(translated(words), "warn") for words in recording.warnings)
    disclaimer = note(translated(found.disclaimer), "warn") if found.disclaimer else ""
    version = t("version {version}", version=text(found.model.version))
    head = (
        f'<section class="tt-card" data-job="{given.job}"><p class="tt-over">{text(given.name)}, '
        f'{clock(recording.duration_s)}, {version}</p><p class="tt-sentence" role="status">'
        f"{counted or t('No event in it.')}</p>{warning}"
    )
    if not found.events:
        return f"{head}</section>"
    return (
        f"{head}{disclaimer}{_strip(found, given)}{_table(found, given)}{_downloads(found)}"
        "</section>"
    )


def _strip(found: Analysis, given: Given) -> str:
    """A click on an event plays it, as in the table; screen readers have the table."""
    whole_s = max(found.recording.duration_s, 0.001)
    lanes = "".join(
        f'<div class="tt-gutter tt-name" title="{named(label)}">{named(label)}</div>'
        f'<div class="tt-events">{_marks(found, label, given, whole_s)}</div>'
        for label in found.labels
    )
    hours = "".join(
        f'<span style="left:{100 * part:.0f}%">{clock(part * whole_s)}</span>'
        for part in (0, 0.25, 0.5, 0.75)
    )
    return (
        f'<figure class="tt-scope" aria-hidden="true">{lanes}<div class="tt-gutter"></div>'
        f'<div class="tt-seconds">{hours}</div></figure>'
    )


def _marks(found: Analysis, label: str, given: Given, whole_s: float) -> str:
    return "".join(_mark(event, given, whole_s) for event in found.events if event.label == label)


def _mark(event: RecordingEvent, given: Given, whole_s: float) -> str:
    left, width = event.start_s / whole_s, (event.end_s - event.start_s) / whole_s
    return (
        f"<i {panel.moment(given, event.start_s, event.end_s)} "
        f'title="{clock(event.start_s)}, {percent(event.confidence)}" '
        f'style="left:{left:.3%};width:{width:.3%};opacity:{event.confidence:.2f}"></i>'
    )


def _table(found: Analysis, given: Given) -> str:
    heads = (t("from"), t("to"), t("event"), t("confidence"))
    rows = (
        f"<tr>{panel.cell(heads[0], f'{event.start_s:.3f}', clock(event.start_s))}"
        f"{panel.cell(heads[1], f'{event.end_s:.3f}', clock(event.end_s))}"
        f"{panel.cell(heads[2], event.label, named(event.label))}"
        f"{panel.cell(heads[3], f'{event.confidence:.4f}', percent(event.confidence))}"
        f"{panel.buttons(given, number, event.start_s, event.end_s)}</tr>"
        for number, event in enumerate(found.events[:LISTED])
    )
    more = len(found.events) - LISTED
    rest = (
        f'<p class="tt-small">{t("and {count} more, in the downloads", count=more)}</p>'
        if more > 0
        else ""
    )
    return panel.sortable(heads, rows) + rest


def _downloads(found: Analysis) -> str:
    rows = [Event(**event.model_dump()) for event in found.events]
    rate_hz = found.recording.sample_rate_hz
    links = "".join(
        panel.download(name, TABLES[kind][0], TABLES[kind][1](rows, rate_hz), words)
        for kind, name, words in DOWNLOADS
    )
    return f'<p class="tt-links">{links}</p>'


def clock(seconds: float) -> str:
    """1:02:03.4, without hours where there are none."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    seconds_said = number(rest, "04.1f")
    return f"{hours}:{minutes:02}:{seconds_said}" if hours else f"{minutes}:{seconds_said}"
