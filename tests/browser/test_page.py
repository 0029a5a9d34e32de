"""The page in a real browser, against a service that keeps the contract."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, FilePayload, Page, expect

from serve_app.ui.app import build_page
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.local_server import Server, below_ui

pytestmark = pytest.mark.browser


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "pump.wav"
    path.write_bytes(tone(65, seconds=2))
    return path


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_label("Domain")).to_have_value("Machine faults")


def upload(page: Page, clip: Path) -> None:
    page.set_input_files("#clip input[type=file]", str(clip))
    expect(page.locator("#answer .tt-label")).to_be_visible()
    expect(page.locator("#figure .tt-scope")).to_be_visible()  # the last of the answer to arrive


def correct(page: Page, label: str) -> None:
    page.get_by_label("That's wrong: it is …").click()
    page.get_by_role("option", name=label, exact=True).click()
    page.click("#send")


def test_an_uploaded_clip_is_answered_with_evidence_and_nothing_leaves_for_elsewhere(
    page: Page, site: str, clip: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site)
    upload(page, clip)
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")
    expect(page.get_by_text("A hint for a technician")).to_be_visible()
    expect(page.locator("#figure .tt-spectrum polyline").first).to_be_attached()
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(site).netloc}


def test_a_recording_from_the_microphone_is_answered_when_it_ends(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_label("Record audio").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#answer .tt-label")).to_be_visible()


def test_an_example_is_answered_at_a_click(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_role("button", name="hum").click()
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_touching_the_list_of_domains_keeps_the_answer_and_choosing_another_empties_it(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    upload(page, clip)
    page.get_by_label("Domain").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1000)
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    expect(page.locator("#answer .tt-label")).to_have_count(0)


def test_a_recording_that_is_declared_as_video_is_answered(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    declared = FilePayload(name="pump.webm", mimeType="video/webm", buffer=clip.read_bytes())
    page.set_input_files("#clip input[type=file]", files=[declared])
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_a_page_that_is_loaded_again_opens_the_domain_and_the_tab_that_were_open(
    page: Page, site: str
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    page.get_by_role("tab", name="Models").click()
    for kept in ("domain=keywords", "place=models"):
        expect(page).to_have_url(re.compile(kept))
    page.reload()
    expect(page.get_by_label("Domain")).to_have_value("Spoken digits")
    expect(page.locator("#models")).to_contain_text("Version 1 serves since")
    expect(page.locator("#account")).to_contain_text("anna, admin")


def test_a_wrong_key_is_said_when_its_field_is_left_and_clips_are_answered_all_the_same(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    expect(page.locator("#account")).to_contain_text("No key")
    page.get_by_text("Key (not needed").click()
    page.locator("#key input").fill("wrong")
    page.keyboard.press("Tab")
    expect(page.locator("#account")).to_contain_text("not known here")
    upload(page, clip)
    expect(page.locator("#answer")).to_contain_text("answered without one")


def test_a_clip_that_found_the_service_busy_or_away_is_answered_by_itself(
    page: Page, site: str, clip: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(page, site)
    monkeypatch.setattr(world, "busy", 1)
    monkeypatch.setattr(world, "hiccups", 4)  # as often as the client tries
    page.set_input_files("#clip input[type=file]", str(clip))
    expect(page.locator("#answer")).to_contain_text("The service is busy: asking again in 1 s.")
    expect(page.locator("#answer")).to_contain_text("This page asks again by itself.")
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_another_domain_answers_with_its_own_labels(page: Page, site: str, clip: Path) -> None:
    open_page(page, site)
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    expect(page.get_by_text("Which digit was spoken?")).to_be_visible()
    upload(page, clip)
    expect(page.locator("#answer .tt-label")).to_have_text("zero")


def open_cracks(page: Page, address: str, tmp_path: Path, crack: bool = True) -> Path:
    """A photograph on the page of its domain; returns a mask for it."""
    photograph, mask = tmp_path / "wall.png", tmp_path / "mask.png"
    for path, raw in zip((photograph, mask), cracked(1, crack=crack), strict=True):
        path.write_bytes(raw)
    open_page(page, address)
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Cracks").click()
    expect(page.locator("#clip")).to_be_hidden()
    page.set_input_files("#photo input[type=file]", str(photograph))
    return mask


def test_a_photograph_is_answered_with_its_mask_laid_over_it(
    page: Page, site: str, tmp_path: Path
) -> None:
    open_cracks(page, site, tmp_path)
    expect(page.locator("#answer .tt-label")).to_have_text("crack")
    expect(page.locator("#answer")).to_contain_text("96 px long")
    expect(page.locator("#answer")).to_contain_text("96 × 96 px PNG")
    photograph, mask = (page.locator(f"#figure .{css}") for css in ("tt-photo", "tt-mask"))
    expect(photograph).to_be_visible()
    assert photograph.bounding_box() == mask.bounding_box()


def test_a_photograph_is_corrected_by_saying_that_there_is_nothing(
    page: Page, site: str, tmp_path: Path
) -> None:
    open_cracks(page, f"{site}?key={ADMIN}", tmp_path)
    expect(page.locator("#figure .tt-mask")).to_be_visible()
    page.get_by_label("That's wrong: there is …").click()
    page.get_by_role("option", name="no crack", exact=True).click()
    page.click("#send")
    expect(page.get_by_text("crack → no crack")).to_be_visible()


def test_a_photograph_is_corrected_by_a_mask(page: Page, site: str, tmp_path: Path) -> None:
    mask = open_cracks(page, f"{site}?key={ADMIN}", tmp_path, crack=False)
    expect(page.locator("#answer .tt-label")).to_have_text("no crack")
    expect(page.locator("#figure .tt-photo")).to_be_visible()
    page.set_input_files("#mask input[type=file]", str(mask))
    expect(page.locator("#mask")).to_contain_text("mask")
    page.wait_for_timeout(500)
    page.click("#send")
    expect(page.get_by_text("no crack → crack")).to_be_visible()


def test_silence_is_called_unknown(page: Page, site: str, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16_000), 16_000)
    open_page(page, site)
    upload(page, silence)
    expect(page.locator("#answer .tt-label")).to_have_text("Unknown")


def test_a_file_that_is_no_recording_is_refused_in_the_services_words(
    page: Page, site: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "notes.wav"
    wrong.write_text("no sound at all")
    open_page(page, site)
    page.set_input_files("#clip input[type=file]", str(wrong))
    expect(page.locator("#answer")).to_contain_text("This is not a recording")
    expect(page.locator("#send")).to_be_hidden()


def test_a_correction_gives_a_receipt_and_its_life_line_shows_what_was_learnt(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    assert "key=" not in page.url
    upload(page, clip)
    correct(page, "fluid")
    expect(page.get_by_text("The next retrain learns from it.")).to_be_visible()
    page.get_by_role("tab", name="Models").click()
    page.click("#teach")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Promoted")
    page.get_by_role("tab", name="Predict").click()
    page.get_by_text("Check a receipt").click()
    page.click("#check")
    expect(page.locator("#life")).to_contain_text("Learnt in version")
    expect(page.locator("#life")).to_contain_text("fluid")


def test_without_a_key_a_correction_waits(page: Page, site: str, clip: Path) -> None:
    open_page(page, site)
    upload(page, clip)
    correct(page, "mechanical")
    expect(page.get_by_text("It waits until somebody with a key accepts it.")).to_be_visible()


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
            expect(page.get_by_label("Domain")).to_have_value("Machine faults")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Browser, site: str, world: World, clip: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    open_page(page, f"{site}?key={ADMIN}")
    upload(page, clip)
    expect(page.locator("#figure .tt-scope")).to_be_visible()
    sideways = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(sideways) <= 0
    keep(world, "faults", "normal", state="quarantined", flagged=True)
    for place, last in (
        ("Teach", "#shown audio"), ("Models", "#versions"), ("Health", "#insights .tt-curve")
    ):  # fmt: skip
        page.get_by_role("tab", name=place).click()
        expect(page.locator(last).first).to_be_visible()
        assert page.evaluate(sideways) <= 0
    context.close()


@pytest.mark.parametrize("path", [__file__, "http://127.0.0.1/", "https://example.com/a.wav"])
def test_no_file_of_this_machine_and_no_other_address_is_handed_out(site: str, path: str) -> None:
    answer = httpx.get(f"{site}gradio_api/file={path}", trust_env=False)
    assert answer.status_code in {403, 404}
