"""Every place as axe-core sees it, in both themes and with something on it: nothing serious, of
whatever is on the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.fakes.fake_api import ADMIN
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.pages import answered, choose_domain, give, open_page


def several_files_and_one_of_them(page: Page, clip: Path, world: World) -> None:
    broken = clip.with_name("notes.wav")
    broken.write_text("no sound at all")
    give(page, clip, broken)
    page.locator("#several").get_by_role("button", name="Open").click()
    answered(page, "electrical")


def a_long_recording(page: Page, clip: Path, world: World) -> None:
    clip.write_bytes(tone(250, seconds=65.0, rate_hz=4_000))
    give(page, clip)
    expect(page.locator("#several tbody tr").first).to_contain_text("fluid")


def a_desk_with_clips(page: Page, clip: Path, world: World) -> None:
    keep(world, "faults", "normal", state="quarantined", flagged=True, model="fluid")
    keep(world, "faults", "normal", state="quarantined", waiting=("fluid", None))
    page.get_by_role("tab", name="Teach").click()
    expect(page.locator("#shown figure")).to_be_visible()
    page.get_by_text("Forget this clip").click()


def a_run_and_two_versions_compared(page: Page, clip: Path, world: World) -> None:
    page.get_by_role("tab", name="Models").click()
    page.click("#teach")
    expect(page.locator("#models")).to_contain_text("Version 2 serves since")
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.locator("#compared")).to_be_visible()


def the_model_and_a_kept_clip(page: Page, clip: Path, world: World) -> None:
    keep(world, "faults", "electrical", state="accepted")
    page.get_by_role("tab", name="Health").click()
    for part in ("#service .tt-curve", "#insights .tt-scope", "#samples .tt-cepstrum"):
        expect(page.locator(part).first).to_be_visible()


STATES = (
    several_files_and_one_of_them,
    a_long_recording,
    a_desk_with_clips,
    a_run_and_two_versions_compared,
    the_model_and_a_kept_clip,
)


@pytest.mark.parametrize("shown", STATES, ids=lambda shown: shown.__name__)
def test_axe_finds_nothing_serious(
    page: Page, site: str, clip: Path, world: World, shown: Callable[[Page, Path, World], None]
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    shown(page, clip, world)
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
