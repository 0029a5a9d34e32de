"""health_place.py: what is shown while the curator is away, and how long it is looked at."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.past_answers import AuditEvent, AuditEvents
from serve_app.ui.places.health import health_corrections, health_service
from serve_app.ui.places.health.health_place import build_health
from serve_app.ui.shared import Shared, script
from serve_app.ui.standing import Standing
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def client() -> Iterator[Client]:
    with Server(create(World(step_s=0.1))) as url, Client(url) as client:
        yield client


async def built(client: Client) -> Any:
    """The page's parts, and what is called at an event of one of them; Gradio wants a loop."""
    with gr.Blocks() as page:
        signals = gr.HTML(js_on_load=script("standing.js"))
        asked = (gr.State(()), gr.Textbox(), gr.Textbox())
        shared = Shared(client, *asked, Standing(client), signals)
        with gr.Tabs(), gr.Tab("Health") as health:
            build_health(shared, health)
    window = next(block for block in page.blocks.values() if isinstance(block, gr.Radio))

    def called(block: Any, event: str, name: str = "") -> Any:
        of_block: list[Any] = [
            fn.fn for fn in page.fns.values() if (block._id, event) in fn.targets
        ]
        return next(fn for fn in of_block if name in fn.__name__)

    return SimpleNamespace(window=window, tab=health, called=called)


def test_a_domain_that_nothing_is_known_of_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = asyncio.run(built(client))
    look, status = page.called(page.window, "change"), client.status()
    assert "curator is away" not in str(look("faults", "5m", "").values())
    own = status.model_copy(update={"domains": {"keywords": status.domains["keywords"]}})
    monkeypatch.setattr("serve_app.ui.standing.STANDS_S", -1.0)
    monkeypatch.setattr(Client, "status", lambda self: own)
    assert "The curator is away" in str(look("faults", "5m", "").values())


@pytest.mark.parametrize(("status", "said"), [(503, "The service is away."), (403, ""), (401, "")])
def test_kept_clips_that_cannot_be_listed_are_hidden_only_from_whoever_may_not_hear_them(
    client: Client, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise ServiceError("the service is away", status)

    page = asyncio.run(built(client))
    study = page.called(page.tab, "select", "study")
    monkeypatch.setattr(Client, "clips", refused)
    samples = [*study("keywords", ADMIN, (), "").values()][-1]
    assert said in samples
    assert bool(said) == bool(samples)


def test_the_label_that_was_chosen_is_shown_again_when_somebody_returns(client: Client) -> None:
    page = asyncio.run(built(client))
    samples = [*page.called(page.tab, "select", "study")("keywords", ADMIN, (), "two").values()]
    assert 'data-label="two" aria-pressed="true"' in samples[-1]


def test_what_a_run_did_step_by_step_hides_no_other_event() -> None:
    def event(number: int, kind: str) -> AuditEvent:
        return AuditEvent(
            id=number, at=datetime.now(UTC), kind=kind, subject="run:1", who="anna", detail={}
        )

    told = [event(n, kind) for n, kind in enumerate(["step"] * 50 + ["epoch", "clip.forgotten"])]
    shown = health_service.events(told)
    assert "clip forgotten" in shown
    assert shown.count("<tr>") == 2  # with the heads


def test_corrections_are_counted_over_all_pages_and_where_these_are_too_many_that_is_said() -> None:
    def page(before: int | None) -> AuditEvents:
        number = before or 3
        added = AuditEvent(
            id=number,
            at=datetime.now(UTC),
            kind=health_corrections.ADDED,
            subject=f"feedback:{number}",
            who="anna",
            detail={"state": "accepted", "corrected": "fluid"},
        )
        return AuditEvents(events=(added,), next=number - 1 or None)

    assert "3 accepted" in health_corrections.looked_up(page)
    endless = health_corrections.looked_up(lambda before: page(1000))
    assert "Only the newest 10 events are counted." in endless


@pytest.mark.parametrize(
    ("count", "at_first", "behind"), [(4, 4, 0), (5, 5, 0), (6, 5, 1), (30, 5, 15)]
)
def test_the_newest_events_are_seen_and_the_others_are_folded(
    count: int, at_first: int, behind: int
) -> None:
    def event(kind: str, number: int) -> AuditEvent:
        subject, at = f"clip:{number:064}", datetime.now(UTC)
        return AuditEvent(id=number, at=at, kind=kind, subject=subject, who="anna")

    steps = [event("step", number) for number in range(9)]  # of runs, which hide all else
    found = [*steps, *(event("clip.added", number) for number in range(count))]
    before, _, folded = health_service.events(found).partition("<details")
    assert (before.count("clip added"), folded.count("clip added")) == (at_first, behind)
    assert (f"Earlier events: {behind}" in folded) == bool(behind)
