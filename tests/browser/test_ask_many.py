"""Several files and long recordings in Ask: a table, a strip of events, each of them a clip."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, Route, expect

from support.fakes.fake_api import ADMIN
from support.fakes.fake_world import World
from support.inputs.sounds import tone, wav
from support.pages import answered, give, open_page

KEPT = "Audio = class extends Audio { constructor() { window.playing = super(); } }"


def test_several_files_are_answered_in_a_table_with_what_failed_beside_them(
    page: Page, site: str, clip: Path, tmp_path: Path
) -> None:
    wrong, other = tmp_path / "notes.wav", tmp_path / "other.wav"
    wrong.write_text("no sound at all")
    other.write_bytes(tone(250, seconds=20.0))
    more = [tmp_path / f"{n}.wav" for n in range(17)]
    for path in more:
        path.write_bytes(b"" if path.stem == "16" else clip.read_bytes())
    page.add_init_script(KEPT)
    open_page(page, site)
    give(page, clip, wrong, other, *more)
    rows = page.locator("#several tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.nth(1)).to_contain_text("This is not a recording")
    page.get_by_role("button", name="confidence").click()
    expect(rows.first).to_contain_text(re.compile("notes.wav|16.wav"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "pump.wav,electrical" in download.value.path().read_text()
    page.locator("#several").get_by_text("failed 2").click()
    expect(rows.filter(visible=True)).to_have_count(2)
    page.get_by_role("button", name="Ask again what failed").click()
    page.locator("#several").get_by_text("all 20").click()
    rows.filter(has_text="other.wav").get_by_role("button", name="Open").click()
    answered(page, "fluid")
    expect(page.locator("#answer")).to_contain_text("other.wav")
    page.set_viewport_size({"width": 390, "height": 844})  # where rows are cards, and sorted too
    page.get_by_role("button", name="file", exact=True).click()
    expect(rows.first).to_contain_text("0.wav")
    rows.filter(has_text="other.wav").get_by_role("button", name="Play").click()
    page.wait_for_function("playing.currentTime > 0 && !playing.paused")
    give(page, clip)  # in place of all that is listed
    page.wait_for_function("playing.paused")


def test_what_is_long_on_its_way_tells_how_far_it_is_and_can_be_stopped(
    page: Page, site: str, tmp_path: Path
) -> None:
    night = tmp_path / "night.wav"
    night.write_bytes(bytes(5_000_000))
    open_page(page, site)
    expect(page.locator("#drop")).to_contain_text("a hum")  # the zone is drawn no more
    page.route("**/gradio_api/upload", lambda route: None)  # it goes nowhere
    give(page, night)
    expect(page.locator("#drop")).to_contain_text(re.compile(r"Sending night.wav: \d+ %"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#drop")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_what_arrived_before_the_connection_was_lost_is_answered(
    page: Page, site: str, clip: Path, tmp_path: Path
) -> None:
    others = [tmp_path / f"{n}.wav" for n in range(3)]
    for path in others:
        path.write_bytes(clip.read_bytes())
    open_page(page, site)
    expect(page.locator("#drop")).to_contain_text("a hum")
    sent: list[str] = []

    def two(route: Route) -> None:
        sent.append(route.request.url)
        if len(sent) > 2:
            route.fulfill(status=429, headers={"retry-after": "60"})
        else:
            route.continue_()

    page.route("**/gradio_api/upload", two)
    give(page, *others)
    expect(page.locator("#drop")).to_contain_text("2 of 3 arrived.")
    expect(page.locator("#drop")).to_contain_text("try again in 60 s")
    expect(page.locator("#several tbody tr")).to_have_count(2)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Ten minutes with a fault of half a minute in their middle."""
    quiet, fault = (soundfile.read(io.BytesIO(tone(hz, 30.0, 4_000)))[0] for hz in (1_500, 250))
    path = tmp_path / "night.wav"
    path.write_bytes(wav(np.concatenate([*[quiet] * 10, fault, *[quiet] * 9]), 4_000))
    return path


def test_a_recording_of_ten_minutes_is_answered_by_its_events_and_one_of_them_corrected(
    page: Page, site: str, night: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the service says that it is too long for a clip."""
    monkeypatch.setattr(world, "step_s", 0.01)
    open_page(page, f"{site}?key={ADMIN}")
    give(page, night)
    expect(page.locator("#several")).to_contain_text("6 × fluid")
    events = page.locator("#several tbody tr")
    expect(events.first).to_contain_text("5:00.0")
    playing = page.locator('#several tr:has(button[aria-pressed="true"])')
    for key, at in (("j", "5:00.0"), ("j", "5:05.0"), ("k", "5:00.0")):
        page.keyboard.press(key)
        expect(playing).to_contain_text(at)
    page.keyboard.press("Enter")
    answered(page, "fluid")
    page.locator("#its").get_by_text("mechanical").click()
    page.click("#send")
    expect(page.locator("#outcome")).to_contain_text("fluid → mechanical")
    assert [row["label"] for row in world.feedback.values()][-1] == "mechanical"


def test_a_recording_that_is_listened_to_goes_on_when_the_page_is_loaded_again_until_it_is_stopped(
    page: Page, site: str, night: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = page.locator("#several")
    open_page(page, site)
    for ends in ("by itself", "by a stop"):
        monkeypatch.setattr(world, "step_s", 10.0)  # minutes in all
        give(page, night)
        expect(several).to_contain_text(re.compile(r"heard, \d+ %"))
        page.reload()
        expect(several).to_contain_text(re.compile(r"heard, \d+ %"))
        if ends == "by itself":
            monkeypatch.setattr(world, "step_s", 0.01)
            expect(several).to_contain_text("6 × fluid")
            page.reload()
            expect(several).to_contain_text("6 × fluid")
        else:
            several.get_by_role("button", name="Stop").click()
            expect(several).to_have_text("Stopped.")
            page.wait_for_timeout(1_500)  # by when it has ended, and draws nothing more
            expect(several).to_have_text("Stopped.")
            page.reload()
            expect(page.get_by_role("button", name="a hum")).to_be_visible()
            expect(several).to_be_empty()
    assert [job["state"] for job in world.jobs.values()][-2:] == ["succeeded", "cancelled"]


def test_what_was_asked_before_is_seen_beside_a_recording_that_is_listened_to(
    page: Page, site: str, clip: Path, night: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(page, site)
    give(page, clip)
    answered(page, "electrical")
    monkeypatch.setattr(world, "step_s", 2.0)
    give(page, night)
    expect(page.locator("#several")).to_contain_text(re.compile(r"heard, \d+ %"))
    page.locator("#history button").click()
    answered(page, "electrical")
    monkeypatch.setattr(world, "step_s", 0.01)
    expect(page.locator("#several")).to_contain_text("6 × fluid")
