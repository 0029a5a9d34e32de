"""Models in a real browser: runs ordered, followed in every session and cancelled; the way back."""

import pytest
from playwright.sync_api import Browser, Page, expect

from support.fakes.fake_api import ADMIN
from support.fakes.fake_world import World

pytestmark = pytest.mark.browser


def open_models(page: Page, site: str) -> None:
    page.goto(f"{site}?key={ADMIN}&place=models")
    expect(page.locator("#models")).to_contain_text("serves since")


def test_a_run_shows_its_steps_curves_and_verdict_and_one_can_go_back(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 0.4)  # long enough to be seen
    open_models(page, site)
    page.get_by_label("Why, for").fill("new pumps")
    page.click("#train-anew")
    expect(page.locator("#versions .tt-running")).to_be_visible()
    expect(page.locator("#run .tt-busy")).to_be_visible()
    expect(page.locator("#run .tt-curve").first).to_be_visible()
    expect(page.locator("#run")).to_contain_text("new pumps")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Promoted")
    expect(page.locator("#cancel")).to_have_count(0)
    expect(page.locator("#models")).to_contain_text("Version 2 serves since")
    for words in (
        "4 clips of people",
        "2 of 3 new corrections are fixed",
        "Ordered by admin: “new pumps”",
        "macro-F1 rose",
    ):
        expect(page.locator("#version")).to_contain_text(words)
    page.get_by_role("button", name="1", exact=True).click()  # to compare it with
    expect(page.locator("#compared")).to_contain_text("+0.020")
    page.get_by_text("Go back to version 1", exact=True).click()
    assert world.champion("faults")["version"] == "2"
    page.get_by_role("button", name="1", exact=True).click()  # which draws it all anew
    expect(page.locator("#compared")).to_have_count(0)
    page.click("#sure")
    expect(page.locator("#told")).to_contain_text("Version 1 serves on every replica")
    expect(page.locator("#versions .tt-champion")).to_contain_text("1")


def test_a_refused_challenger_is_explained(page: Page, site: str) -> None:
    open_models(page, site)
    page.get_by_label("Why, for").fill("make it worse")
    page.click("#teach")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Refused")
    expect(page.locator("#run .tt-verdict")).to_contain_text("macro-F1 fell")
    page.locator("#versions .tt-refused").first.click()
    expect(page.locator("#version")).to_contain_text("macro-F1 fell")


def test_a_dry_run_tells_what_would_be_learnt_and_changes_nothing(
    page: Page, site: str, world: World
) -> None:
    open_models(page, site)
    before = len(world.versions["faults"])
    page.get_by_text("Dry run: what would be learnt").click()
    page.click("#dry-run")
    expect(page.locator("#run")).to_contain_text("Teaching, dry run")
    expect(page.locator("#run .tt-verdict")).to_contain_text("4 clips of people")
    assert len(world.versions["faults"]) == before
    page.locator("#versions button").first.click()
    page.wait_for_timeout(1_000)  # what was followed stays on the page
    expect(page.locator("#run .tt-verdict")).to_be_visible(timeout=1)


def test_a_run_may_do_otherwise_than_its_domain_says(page: Page, site: str, world: World) -> None:
    open_models(page, site)
    page.get_by_text("Settings for one run").click()
    page.get_by_label("Epochs").fill("2")
    page.get_by_label("Learning rate").fill("0.001")
    page.click("#train-anew")
    expect(page.locator("#run")).to_contain_text("Full retrain")
    expect(page.locator("#run .tt-verdict")).to_be_visible()
    assert world.runs["faults"][0]["options"] == {"epochs": 2, "learning_rate": 0.001}


def test_a_run_of_one_session_is_followed_in_another_is_in_its_way_and_can_be_cancelled_there(
    page: Page, browser: Browser, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 30.0)  # it ends because it is cancelled
    open_models(page, site)
    other = browser.new_page()
    open_models(other, site)
    other.get_by_label("Why, for").fill("by a colleague")
    other.click("#teach")
    expect(other.locator("#run .tt-busy")).to_be_visible()
    expect(page.locator("#run")).to_contain_text("by a colleague")
    page.click("#teach")
    expect(page.locator("#told")).to_contain_text("under way")
    page.reload()
    expect(page.locator("#run .tt-busy")).to_be_visible()
    page.click("#cancel")
    for one in (page, other):
        expect(one.locator("#run")).to_contain_text("cancelled")
    other.close()
