"""What all places of the page share, in a real browser; the service is a fake one that
keeps the contract."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.requests import Request

from serve_app.client.client import Client
from serve_app.ui.app import build_page
from support.fakes.fake_api import ADMIN, CONTRIBUTOR, create
from support.fakes.fake_world import World
from support.local_server import Server, below_ui
from support.pages import answered, choose_domain, give, open_page


def test_a_page_that_is_loaded_again_opens_the_domain_and_the_place_that_were_open(
    page: Page, site: str
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    assert "key=" not in page.url
    choose_domain(page, "Spoken digits", "Which digit was spoken?")
    page.get_by_role("tab", name="Models").click()
    for kept in ("domain=keywords", "place=models"):
        expect(page).to_have_url(re.compile(kept))
    page.reload()
    expect(page.get_by_role("radio", name="Spoken digits")).to_be_checked()
    expect(page.locator("#serving")).to_contain_text("version 1, live since")
    expect(page.locator("#chip")).to_contain_text("anna · admin")


def test_what_serves_and_that_an_answer_is_older_are_seen_without_a_reload(
    page: Page, site: str, clip: Path, world: World
) -> None:
    open_page(page, site)
    give(page, clip)
    answered(page, "electrical")
    older = page.locator("#answer [data-older]")
    expect(older).to_have_attribute("data-then", "1")
    expect(older).to_be_hidden()
    with Server(create(world)) as api, Client(api, key=ADMIN) as elsewhere:
        elsewhere.retrain("faults", "teach", "by a colleague")
    expect(page.locator("#serving")).to_contain_text("version 2, live since")
    expect(older).to_be_visible()


def test_an_address_of_before_opens_what_its_place_is_now(page: Page, site: str) -> None:
    page.goto(f"{site}?key={ADMIN}&place=retrain")
    expect(page.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")


def test_visitors_see_ask_and_health_and_go_between_them_by_arrow_keys(
    page: Page, site: str
) -> None:
    open_page(page, f"{site}?place=models")
    expect(page.get_by_role("tab")).to_have_text(["Ask", "Health"])
    ask, health = (page.get_by_role("tab", name=name) for name in ("Ask", "Health"))
    expect(ask).to_have_attribute("aria-selected", "true")
    ask.press("ArrowRight")
    expect(health).to_have_attribute("aria-selected", "true")
    expect(health).to_be_focused()
    health.press("ArrowLeft")
    expect(ask).to_have_attribute("aria-selected", "true")


def test_contributors_teach_and_leave_decisions_and_versions_to_admins(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, f"{site}?key={CONTRIBUTOR}&place=teach")
    expect(page.locator("#chip")).to_contain_text("carl · contributor")
    expect(page.get_by_role("tab")).to_have_text(["Ask", "Teach", "Health"])
    expect(page.locator("#add")).to_be_visible()
    expect(page.locator("#desk")).to_be_hidden()
    page.get_by_role("tab", name="Ask").click()
    give(page, clip)
    answered(page, "electrical")
    expect(page.locator("#teach-now")).to_be_hidden()
    page.click("#is-right")
    expect(page.locator("#outcome")).to_contain_text("The next retrain learns from it")
    page.get_by_role("tab", name="Teach").click()
    expect(page.locator("#my-receipts")).to_contain_text("electrical, as answered")


def test_the_keys_are_told_by_a_key(page: Page, site: str) -> None:
    open_page(page, site)
    keys = page.get_by_text("zoom the spectrogram")
    expect(keys).to_be_hidden()
    page.keyboard.press("?")
    expect(keys).to_be_visible()


def test_places_that_are_closed_ask_nothing_and_nobody_waits_for_another_ones_desk(
    browser: Browser, world: World, uploads: Path
) -> None:
    service, asked, held = create(world), list[str](), threading.Event()

    @service.middleware("http")
    async def noted(request: Request, call_next: Any) -> Any:
        asked.append(request.url.path)
        if request.url.path.endswith("/clips"):
            while not held.is_set():
                await asyncio.sleep(0.05)
        return await call_next(request)

    with Server(service) as api, Server(below_ui(build_page(api, uploads))) as at:
        page, other = (browser.new_context().new_page() for _ in range(2))
        open_page(page, f"{at}/ui/?key={ADMIN}")
        choose_domain(page, "Cracks", "Is there a crack?")
        expect(page.get_by_role("button", name="a drawn crack")).to_be_visible()
        page.wait_for_timeout(500)
        assert set(asked) <= {"/domains", "/me", "/status"}
        page.get_by_role("tab", name="Teach").click()  # whose list never comes
        page.get_by_role("tab", name="Ask").click()
        open_page(other, f"{at}/ui/")
        choose_domain(other, "Spoken digits", "Which digit was spoken?")
        choose_domain(page, "Machine faults", "machine's sound")
        held.set()
        for one in (page, other):
            one.context.close()


def test_what_is_dropped_beside_the_zone_does_not_open_in_place_of_the_page(
    page: Page, site: str
) -> None:
    open_page(page, site)
    for moment in ("dragover", "drop"):
        assert not page.evaluate(
            "moment => document.body.dispatchEvent("
            "new DragEvent(moment, {bubbles: true, cancelable: true}))",
            moment,
        )


def test_a_service_that_is_away_is_said_and_found_again_by_itself(
    page: Page, world: World, uploads: Path
) -> None:
    with Server(create(world)) as api:
        port = urlsplit(api).port
    assert port is not None
    with Server(below_ui(build_page(api, uploads))) as at:
        page.goto(f"{at}/ui/")
        expect(page.locator("#banner")).to_contain_text("does not answer")
        with Server(create(world), port):
            expect(page.locator("#banner")).to_be_empty()
            expect(page.get_by_role("radio", name="Machine faults")).to_be_checked()


@pytest.mark.parametrize("path", [__file__, "http://127.0.0.1/", "https://example.com/a.wav"])
def test_no_file_of_this_machine_and_no_other_address_is_handed_out(site: str, path: str) -> None:
    answer = httpx.get(f"{site}gradio_api/file={path}", trust_env=False)
    assert answer.status_code in {403, 404}
