"""Every place as axe-core sees it, in both themes: nothing serious, of whatever is on the page."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.fakes.fake_api import ADMIN
from support.inputs.pictures import cracked
from support.pages import answered, choose_domain, give, open_page

PLACES = {
    "ask": "#answer .tt-label",
    "teach": "#tally",
    "models": "#versions",
    "health": "#insights .tt-scope",
}


@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing_serious(page: Page, site: str, clip: Path, place: str) -> None:
    open_page(page, f"{site}?key={ADMIN}&place={place}")
    if place == "ask":
        give(page, clip)
        answered(page, "electrical")
    expect(page.locator(PLACES[place]).first).to_be_visible()
    finds_nothing_serious(page)


def test_axe_finds_nothing_serious_of_a_photograph_on_a_phone(
    page: Page, site: str, tmp_path: Path
) -> None:
    photograph, mask = tmp_path / "wall.png", tmp_path / "mask.png"
    for path, raw in zip((photograph, mask), cracked(1), strict=True):
        path.write_bytes(raw)
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, f"{site}?key={ADMIN}")
    choose_domain(page, "Cracks", "Is there a crack?")
    give(page, photograph)
    answered(page, "crack")
    finds_nothing_serious(page)
    page.set_input_files("#mask input[type=file]", str(mask))
    expect(page.locator("#mask")).to_contain_text("mask")
    finds_nothing_serious(page)


def finds_nothing_serious(page: Page) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(reduced_motion="reduce", color_scheme=theme)
        page.evaluate("theme => document.body.classList.toggle('dark', theme === 'dark')", theme)
        page.wait_for_timeout(500)  # colours change in a transition
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [
            (one["id"], node["html"][:120], node["failureSummary"][:200])
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]
        assert not serious, theme
