"""Live sound in a real browser, with Chromium's own beeps for a microphone."""

import re

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from support.fakes.fake_api import ADMIN
from support.fakes.fake_world import World
from support.pages import choose_domain, open_page

LOUD = (
    "getComputedStyle(document.querySelector('#drop [data-do=live]')).getPropertyValue('--level')"
)
DRAWN = """() => {
  const canvas = document.querySelector("#live canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(data).size > 20;
}"""


def begin(page: Page, site: str) -> None:
    open_page(page, site)
    expect(page.get_by_role("button", name="Live")).to_be_hidden()  # how, its file does not say
    choose_domain(page, "Spoken digits", "Which digit was spoken?")
    page.get_by_role("button", name="Live").click()


def test_what_is_heard_live_lands_on_a_spectrogram_is_listed_and_is_corrected(
    page: Page, site: str, world: World
) -> None:
    begin(page, f"{site}?key={ADMIN}")
    expect(page.locator("#live")).to_contain_text("Listening.")
    page.wait_for_function(f"() => parseFloat({LOUD}) > 5")
    page.wait_for_function(DRAWN)
    expect(page.locator(".tt-words b").first).to_be_visible()
    moments = page.locator("#live li")
    ended = moments.filter(has=page.get_by_role("button", name="It is"))
    expect(ended.nth(1)).to_be_visible()
    expect(ended.first).to_contain_text(re.compile(r"\d %"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    count = moments.count()
    expect(ended).to_have_count(count)  # what was going on was told before the end
    ended.last.get_by_role("button", name="Play").click()
    expect(page.locator('#live [aria-pressed="true"]')).to_have_count(1)
    ended.last.get_by_role("button", name="It is").click()
    expect(page.locator("#answer")).to_contain_text("1.0 s WAV")
    page.locator("#its").get_by_text("seven").click()
    page.click("#send")
    expect(page.locator("#outcome")).to_contain_text("→ seven")
    assert [row["label"] for row in world.feedback.values()][-1] == "seven"


def test_live_goes_on_while_another_place_is_open_and_is_drawn_when_it_is_closed(
    page: Page, site: str
) -> None:
    begin(page, site)
    expect(page.locator("#live")).to_contain_text("Listening.")
    page.get_by_role("tab", name="Health").click()
    page.wait_for_timeout(500)
    page.get_by_role("tab", name="Ask").click()
    page.evaluate("document.querySelector('#live canvas').width += 0")  # which empties it
    page.wait_for_function(DRAWN)


def test_a_line_that_is_lost_while_it_is_stopped_leaves_no_dead_button(
    page: Page, site: str
) -> None:
    page.clock.install()
    page.add_init_script("WebSocket.prototype.close = function () { this.silent = true; }")
    begin(page, site)
    expect(page.locator("#live")).to_contain_text("Listening.")
    page.evaluate("WebSocket.prototype.send = () => {}")  # what is sent arrives nowhere
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live")).to_contain_text("Stopping …")
    page.clock.fast_forward(6_000)
    expect(page.locator("#live")).to_contain_text("Stopped.")
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def test_a_busy_service_is_asked_again_and_another_domain_ends_what_is_heard(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "busy", 1)
    begin(page, f"{site}?key=mistyped")  # which is no reason to hear nothing
    expect(page.locator("#live")).to_contain_text("The service is busy: asking again in 5 s.")
    expect(page.locator("#live")).to_contain_text("Listening.")
    choose_domain(page, "Machine faults", "machine's sound")
    expect(page.locator("#live section")).to_be_hidden()


def test_where_the_replica_ends_that_listens_another_goes_on(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "ending", 1)
    begin(page, site)
    # The event that was under way is cut where it was lost; what follows has moments of its own.
    ended = page.locator("#live li").filter(has=page.get_by_role("button", name="It is"))
    expect(ended.nth(1)).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Listening.")
    assert world.ending == 0


def test_what_the_service_refuses_is_headed_in_the_pages_language(page: Page, site: str) -> None:
    def refuse(socket: WebSocketRoute) -> None:
        socket.send('{"type": "error", "status": 408, "detail": "no sound came"}')
        socket.close(code=1008)

    page.route_web_socket("**/keywords/stream", refuse)
    page.goto(f"{site}?lang=fr&domain=keywords")
    expect(page.get_by_role("radio", name="Chiffres prononcés")).to_be_checked()
    page.get_by_role("button", name="En direct").click()
    expect(page.locator("#live .tt-bad")).to_contain_text("trop lentement")
