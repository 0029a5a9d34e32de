"""Teach, Models and what all places share, in a real browser; the service is a fake one that
keeps the contract."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from serve_app.client.client import Client
from serve_app.ui.app import build_page
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.local_server import Server, below_ui
from support.pages import choose_domain, open_page

LASTS = """player => new Promise(done => {
  if (player.readyState) done(player.duration);
  else {
    player.onloadedmetadata = () => done(player.duration);
    player.onerror = () => done(-1);
  }
})"""


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
    expect(page.locator("#replicas")).to_contain_text("keywords#0")
    expect(page.locator("#serving")).to_contain_text("version 1, live since")
    expect(page.locator("#chip")).to_contain_text("anna · admin")


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


def test_a_retrain_shows_its_steps_curves_and_verdict_and_can_be_rolled_back(
    page: Page, site: str, world: World
) -> None:
    world.step_s = 0.4  # long enough to be seen
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#replicas")).to_contain_text("All 2 replicas serve version")
    before = world.champion("faults")["version"]
    page.get_by_text("Full: train").click()
    page.click("#start")
    expect(page.locator("#run .tt-busy")).to_be_visible()
    expect(page.locator("#cancel")).to_be_visible()
    expect(page.locator("#run .tt-curve").first).to_be_visible()
    expect(page.locator("#run .tt-verdict")).to_contain_text("Promoted")
    expect(page.locator("#cancel")).to_be_hidden()
    page.get_by_role("button", name=f"Go back to version {before}").click()
    expect(page.locator("#going-back")).to_contain_text(f"Version {before} will answer")
    assert world.champion("faults")["version"] != before
    page.click("#sure")
    expect(page.locator("#said")).to_contain_text(f"Version {before} serves on every replica")
    expect(page.locator("#versions tr", has_text="champion")).to_contain_text(before)


def test_a_refused_challenger_is_explained(page: Page, site: str) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Models").click()
    page.get_by_label("Reason").fill("make it worse")
    page.click("#start")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Refused")
    expect(page.locator("#run .tt-verdict")).to_contain_text("macro-F1 fell")


def test_a_run_is_found_again_after_a_reload_and_can_be_cancelled(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 2.0)
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Models").click()
    page.get_by_text("Full: train").click()
    page.click("#start")
    expect(page.locator("#run .tt-busy")).to_be_visible()
    page.reload()
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#run .tt-busy")).to_be_visible()
    page.click("#cancel")
    expect(page.locator("#run")).to_contain_text("cancelled")


def choose_which(page: Page, which: str) -> None:
    page.get_by_label(which, exact=True).check()


def choose_kept(page: Page, clip: str) -> None:
    page.locator("#kept input").click()
    page.get_by_role("option", name=clip[:8]).click()
    expect(page.locator("#shown")).to_contain_text(clip[:8])


def accept_as(page: Page, label: str) -> None:
    page.locator("#its-label input").click()
    page.get_by_role("option", name=label, exact=True).click()
    page.click("#accept")


def test_a_run_that_began_elsewhere_is_seen_and_is_why_another_one_is_refused(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 4.0)
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#replicas")).to_contain_text("serve version")
    with Server(create(world)) as api, Client(api, key=ADMIN) as elsewhere:
        run = elsewhere.retrain("faults", "teach", "by a colleague")
        expect(page.locator("#run .tt-busy")).to_be_visible()
        expect(page.locator("#run")).to_contain_text("by a colleague")
        page.click("#start")
        expect(page.locator("#told")).to_contain_text("under way")
        expect(page.locator("#run .tt-busy")).to_be_visible()
        elsewhere.cancel("faults", run.id)
    expect(page.locator("#run")).to_contain_text("cancelled")


def test_a_flagged_clip_is_shown_with_its_doubt_heard_and_given_the_right_label(
    page: Page, site: str, world: World
) -> None:
    clip = keep(world, "faults", "normal", state="accepted", flagged=True)
    keep(world, "faults", "mechanical", state="accepted")
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Teach").click()
    expect(page.locator("#queue")).to_contain_text("No clip waits for a decision")
    page.get_by_label("Flagged by a check").check()
    expect(page.locator("#queue")).to_contain_text("label in doubt it sounds more like fluid")
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    assert page.locator("#shown audio").evaluate(LASTS) == pytest.approx(0.5)
    expect(page.locator("#views")).to_contain_text("Sent as normal")
    expect(page.locator("#views")).to_contain_text("The model, version")
    expect(page.locator("#shown .tt-spectrum polyline").first).to_be_attached()  # its evidence
    accept_as(page, "fluid")
    expect(page.locator("#decided")).to_contain_text("counts as fluid")
    expect(page.locator("#queue")).to_contain_text("No check has anything to say")
    assert (world.clips[clip]["row"]["label"], world.clips[clip]["row"]["flags"]) == ("fluid", [])


def test_what_is_heard_and_what_it_is_called_are_of_the_clip_that_is_chosen(
    page: Page, site: str, world: World
) -> None:
    slow = keep(world, "keywords", "one", state="accepted")
    quick = keep(world, "keywords", "two", state="accepted")
    last = keep(world, "keywords", "three", state="accepted")
    world.content_s[slow] = 1.5
    open_page(page, f"{site}?key={ADMIN}")
    choose_domain(page, "Spoken digits", "Which digit was spoken?")
    page.get_by_role("tab", name="Teach").click()
    page.get_by_label("Accepted", exact=True).check()
    expect(page.locator("#kept input")).to_have_value(f"{slow[:8]}, one")
    page.locator("#kept input").click()
    page.get_by_role("option", name=quick[:8]).click()  # while the first is on its way
    expect(page.locator("#shown")).to_contain_text(quick[:8])
    page.wait_for_timeout(1500)
    expect(page.locator("#shown")).to_contain_text(quick[:8])
    for clip in (slow, quick):
        world.clips.pop(clip)
    page.click("#reject")
    expect(page.locator("#views")).to_contain_text("Sent as three")
    expect(page.locator("#shown")).to_contain_text(last[:8])


def test_a_clip_that_waits_can_be_rejected_with_a_reason_of_its_own_and_that_be_undone(
    page: Page, site: str, world: World
) -> None:
    keep(world, "faults", "normal", state="quarantined")
    clip = keep(world, "faults", "fluid", state="quarantined")
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Teach").click()
    expect(page.locator("#queue")).to_contain_text(clip[:8])
    expect(page.locator("#its-label input")).to_have_value("")
    page.click("#accept")
    expect(page.locator("#decided")).to_contain_text("Say what it is first")
    choose_kept(page, clip)
    page.get_by_label("Or why not").fill("that is a dog")
    page.click("#reject")
    expect(page.locator("#decided")).to_contain_text("will not be learnt from")
    expect(page.get_by_label("Or why not")).to_have_value("")
    row = world.clips[clip]["row"]
    assert (row["state"], row["reason"]) == ("rejected", "that is a dog")
    choose_which(page, "Rejected")
    expect(page.locator("#queue")).to_contain_text(clip[:8])
    page.click("#undo")
    expect(page.locator("#decided")).to_contain_text("is quarantined as fluid again")
    expect(page.locator("#queue")).to_contain_text("No clip was rejected")
    expect(page.locator("#undo")).to_be_hidden()
    choose_which(page, "Waiting for a decision")
    choose_kept(page, clip)
    accept_as(page, "mechanical")  # two steps: another label, and its acceptance
    expect(page.locator("#decided")).to_contain_text("counts as mechanical")
    page.click("#undo")
    expect(page.locator("#decided")).to_contain_text("is quarantined as fluid again")


def test_a_kept_photograph_is_seen_with_the_mask_that_was_drawn_on_it(
    page: Page, site: str, world: World
) -> None:
    photograph, mask = cracked(2)
    clip = keep(world, "cracks", "crack", state="quarantined", raw=photograph, mask=mask)
    open_page(page, f"{site}?key={ADMIN}")
    choose_domain(page, "Cracks", "Is there a crack?")
    page.get_by_role("tab", name="Teach").click()
    seen, drawn = (page.locator(f"#shown .{css}").first for css in ("tt-photo", "tt-mask"))
    expect(drawn).to_be_visible()
    assert seen.bounding_box() == drawn.bounding_box()
    accept_as(page, "crack")
    expect(page.locator("#decided")).to_contain_text("counts as crack")
    assert world.clips[clip]["row"]["state"] == "accepted"


def test_a_correction_of_an_accepted_clip_waits_where_it_is_seen(
    page: Page, site: str, world: World
) -> None:
    clip = keep(world, "faults", "normal", state="accepted", waiting=("fluid", None))
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Teach").click()
    row = page.locator("#queue tbody tr", has_text=clip[:8])
    expect(row).to_contain_text("correction waits fluid")
    choose_kept(page, clip)
    expect(page.locator("#shown")).to_contain_text("A correction waits: fluid")
    accept_as(page, "fluid")
    expect(page.locator("#decided")).to_contain_text("counts as fluid")
    expect(row).to_have_count(0)


def test_another_mask_of_a_photograph_is_seen_and_can_be_taken(
    page: Page, site: str, world: World
) -> None:
    photograph, mask = cracked(3)
    other = cracked(4)[1]
    clip = keep(
        world,
        "cracks",
        "crack",
        state="accepted",
        raw=photograph,
        mask=mask,
        waiting=("crack", other),
    )
    before = world.clips[clip]["row"]["mask"]
    open_page(page, f"{site}?key={ADMIN}")
    choose_domain(page, "Cracks", "Is there a crack?")
    page.get_by_role("tab", name="Teach").click()
    expect(page.locator("#shown .tt-mask")).to_have_count(3)  # its own, another, the model's
    accept_as(page, "crack, as correction 1 marks it")
    expect(page.locator("#decided")).to_contain_text("counts as crack")
    assert world.clips[clip]["row"]["mask"] not in (None, before)


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
