"""Every place as axe-core sees it, in both themes: nothing serious, of whatever is on the page."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.fakes.fake_api import ADMIN
from support.pages import answered, give, open_page

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
