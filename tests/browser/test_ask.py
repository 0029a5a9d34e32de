"""The place Ask in a real browser, against a service that keeps the contract."""

import io
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from serve_app.ui.places.ask.ask_examples import examples_of
from support.fakes.fake_api import ADMIN
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.inputs.sounds import wav
from support.pages import SIDEWAYS, answered, choose_domain, give, open_page


def test_a_clip_is_answered_with_evidence_that_is_heard_where_it_is_clicked(
    page: Page, site: str, clip: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site)
    expect(page.locator("#drop")).to_contain_text("Clips up to 60 s and 20 MB")
    give(page, clip)
    answered(page, "electrical")
    expect(
        page.get_by_text("A hint for a technician, not a diagnosis.", exact=True)
    ).to_be_visible()
    expect(page.locator("#teach-now")).to_be_hidden()
    page.keyboard.press("+")
    page.keyboard.press("+")
    wide = page.locator("#figure .tt-spectrum .tt-wide")
    width = page.locator("#figure .tt-spectrum").evaluate("part => part.clientWidth")
    assert wide.evaluate("part => part.clientWidth") == pytest.approx(4 * width, abs=2)
    page.get_by_role("button", name="Show all").click()
    assert wide.evaluate("part => part.clientWidth") == width
    page.locator("#figure .tt-spectrum").click()
    player = page.locator("#figure audio")
    page.wait_for_function("document.querySelector('#figure audio').currentTime > 0.5")
    assert player.evaluate("player => player.duration") == pytest.approx(2.0, abs=0.01)
    expect(page.locator("#figure .tt-heard")).to_be_visible()
    moment = page.get_by_role("button", name=re.compile(r"^electrical, from \d")).first
    moment.press("Enter")
    page.wait_for_function("player => !player.paused", arg=player.element_handle())
    page.wait_for_function("player => player.paused", arg=player.element_handle())
    end_s = float(moment.get_attribute("data-to") or 0)
    assert player.evaluate("player => player.currentTime") == pytest.approx(end_s, abs=0.2)
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(site).netloc}


def test_on_a_fresh_install_there_are_examples_and_another_domain_empties_the_answer(
    page: Page, site: str
) -> None:
    open_page(page, site)
    page.get_by_role("button", name="a hum").click()
    answered(page, "electrical")
    page.get_by_role("radio", name="Machine faults").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")
    choose_domain(page, "Cracks", "Is there a crack?")
    expect(page.locator("#answer .tt-label")).to_have_count(0)
    page.get_by_role("button", name="a drawn crack").click()
    answered(page, "crack")


def test_a_drop_takes_the_place_of_what_was_answered_whatever_the_file_is_declared_as(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    page.get_by_role("button", name="a hiss").click()
    expect(page.locator("#figure figure")).to_be_visible()
    data = page.evaluate_handle(
        """bytes => {
          const all = new DataTransfer();
          all.items.add(new File([new Uint8Array(bytes)], "pump.webm", {type: "video/webm"}));
          return all;
        }""",
        list(clip.read_bytes()),
    )
    page.dispatch_event("#drop .tt-drop", "drop", {"dataTransfer": data})
    answered(page, "electrical")


def test_what_was_asked_before_is_shown_again_but_of_domains_that_keep_no_history(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    give(page, clip)
    answered(page, "electrical")
    page.get_by_role("button", name="a hiss").click()
    past = page.locator("#history li")
    expect(past).to_have_count(2)
    expect(past.last).to_contain_text("electrical")
    expect(past.last).to_contain_text("pump.wav")
    past.last.get_by_role("button").click()
    answered(page, "electrical")
    page.wait_for_function("document.querySelector('#figure audio').duration > 1.9")
    choose_domain(page, "Cracks", "Is there a crack?")
    page.get_by_role("button", name="a drawn crack").click()
    answered(page, "crack")
    expect(past).to_have_count(0)
    choose_domain(page, "Machine faults", "machine's sound")
    expect(past).to_have_count(2)


def test_silence_is_too_quiet_and_not_nearest_to_anything(page: Page, site: str) -> None:
    open_page(page, site)
    silence = FilePayload(name="s.wav", mimeType="audio/wav", buffer=wav(np.zeros(16_000)))
    page.set_input_files("#drop input[type=file]", files=[silence])
    answered(page, "Too quiet to tell")
    expect(page.locator("#answer")).not_to_contain_text("nearest")


def test_a_wrong_key_is_said_when_its_field_is_left_and_clips_are_answered_all_the_same(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    page.locator("#chip button").first.click()
    page.locator("#key input").fill("wrong")
    page.keyboard.press("Tab")
    expect(page.locator("#account")).to_contain_text("not known here")
    give(page, clip)
    expect(page.locator("#answer")).to_contain_text("Answered without your key")


def test_a_clip_that_found_the_service_busy_or_away_is_answered_by_itself(
    page: Page, site: str, clip: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(page, site)
    monkeypatch.setattr(world, "busy", 1)
    monkeypatch.setattr(world, "hiccups", 4)  # as often as the client tries
    give(page, clip)
    expect(page.locator("#answer")).to_contain_text("The service is busy: asking again in 1 s.")
    expect(page.locator("#answer")).to_contain_text("This page asks again by itself.")
    answered(page, "electrical")


def test_a_file_that_is_no_recording_is_refused_in_the_services_words(
    page: Page, site: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "notes.wav"
    wrong.write_text("no sound at all")
    open_page(page, site)
    give(page, wrong)
    expect(page.locator("#answer")).to_contain_text("This is not a recording")
    expect(page.locator("#send")).to_be_hidden()


def test_a_correction_is_taught_and_its_card_turns_over_to_before_and_after(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    give(page, clip)
    answered(page, "electrical")
    page.locator("#its").get_by_text("fluid").click()
    page.click("#teach-now")
    expect(page.locator("#outcome")).to_contain_text("Learning")
    expect(page.locator("#outcome")).to_contain_text("Live: version 2")
    expect(page.locator("#outcome .tt-pair")).to_contain_text("After, version 2fluid")
    expect(page.locator("#answer")).to_contain_text("The answer of version 2")


def test_on_a_phone_three_taps_lead_from_the_page_to_a_corrected_clip(
    browser: Browser, site: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    open_page(page, site)
    page.get_by_role("button", name="a hum").tap()
    page.locator("#its").get_by_text("fluid").tap()
    page.get_by_role("button", name="Send correction").tap()
    expect(page.locator("#outcome")).to_contain_text("electrical → fluid")
    context.close()


def test_without_a_key_a_correction_waits_as_its_receipt_says(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    give(page, clip)
    answered(page, "electrical")
    page.locator("#its").get_by_text("mechanical").click()
    page.click("#send")
    expect(page.locator("#outcome")).to_contain_text("It waits until somebody with a key accepts")
    number = page.locator("#outcome code").inner_text()
    page.get_by_text("Check a receipt").click()
    page.get_by_label("Receipt", exact=True).fill(number)
    page.click("#check")
    expect(page.locator("#life")).to_contain_text("as mechanical")
    page.click("#is-right")
    expect(page.locator("#outcome")).to_contain_text("electrical, as answered")


def see(page: Page, tmp_path: Path, crack: bool) -> Path:
    """A photograph is given on the page of its domain; returns a mask for it."""
    photograph, mask = tmp_path / "wall.png", tmp_path / "mask.png"
    for path, raw in zip((photograph, mask), cracked(1, crack=crack), strict=True):
        path.write_bytes(raw)
    choose_domain(page, "Cracks", "Is there a crack?")
    expect(page.get_by_role("button", name="Record")).to_be_hidden()
    give(page, photograph)
    answered(page, "crack" if crack else "no crack")
    return mask


def test_a_photograph_is_answered_with_its_mask_laid_over_it_and_corrected_by_a_chip(
    page: Page, site: str, tmp_path: Path
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    see(page, tmp_path, crack=True)
    expect(page.locator("#answer")).to_contain_text("96 px long")
    photograph, mask = (page.locator(f"#figure .{css}") for css in ("tt-photo", "tt-mask"))
    assert photograph.bounding_box() == mask.bounding_box()
    page.get_by_label("How strongly it is marked").fill("20")
    assert float(mask.evaluate("mask => getComputedStyle(mask).opacity")) == pytest.approx(0.2)
    page.locator("#its").get_by_text("no crack").click()
    page.click("#send")
    expect(page.get_by_text("crack → no crack")).to_be_visible()


def test_who_gives_a_clip_while_the_domain_is_being_opened_keeps_its_answer(
    page: Page, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(page, site)

    def slow(*arguments: Any) -> list[Path]:
        time.sleep(3)
        return examples_of(*arguments)

    monkeypatch.setattr("serve_app.ui.places.ask.ask_place.examples_of", slow)
    photograph = tmp_path / "wall.png"
    photograph.write_bytes(cracked(1)[0])
    choose_domain(page, "Cracks", "Is there a crack?")
    give(page, photograph)
    answered(page, "crack")
    expect(page.get_by_role("button", name="a plain wall")).to_be_visible()
    answered(page, "crack")


def test_a_photograph_is_corrected_by_a_mask(page: Page, site: str, tmp_path: Path) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    mask = see(page, tmp_path, crack=False)
    page.set_input_files("#mask input[type=file]", str(mask))
    expect(page.locator("#mask")).to_contain_text(re.compile(r"mask\s?\.png"))  # cut by Gradio
    page.click("#send")
    expect(page.get_by_text("no crack → crack")).to_be_visible()


def test_a_mask_is_drawn_on_the_photograph_beginning_from_the_models(
    page: Page, site: str, tmp_path: Path, world: World
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    see(page, tmp_path, crack=True)
    page.get_by_role("button", name="Draw on the photograph").click()
    layer = page.locator("#figure canvas")
    layer.scroll_into_view_if_needed()
    box = layer.bounding_box()
    assert box is not None
    page.get_by_label("Width").fill("10")
    for row in (10, 40):
        page.mouse.move(box["x"] + 5, box["y"] + row)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + row)
        page.mouse.up()
    page.get_by_role("button", name="Undo").click()  # of the second stroke
    page.mouse.move(box["x"] + 60, box["y"] - 20)
    page.mouse.down()  # beside the photograph, which begins no stroke
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.up()
    page.get_by_role("button", name="Use this mask").click()
    expect(page.locator("#mask")).to_contain_text("drawn-mask")
    page.click("#send")
    expect(page.get_by_text("crack, with another mask")).to_be_visible()
    (was, now) = (
        np.asarray(Image.open(io.BytesIO(raw))) > 0
        for raw in (cracked(1)[1], next(reversed(world.masks.values())))
    )
    assert now.shape == was.shape
    assert now[was].all()
    scale = now.shape[1] / box["width"]
    assert now[round(10 * scale), round(30 * scale)]
    assert not now[round(40 * scale), round(30 * scale)]
    assert not now[round(55 * scale), round(60 * scale)]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Browser, site: str, clip: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    open_page(page, f"{site}?key={ADMIN}")
    give(page, clip)
    expect(page.locator("#figure .tt-scope")).to_be_visible()
    assert page.evaluate(SIDEWAYS) <= 0
    for place in ("Models", "Teach", "Health"):
        page.get_by_role("tab", name=place).click()
        expect(page.get_by_role("tab", name=place)).to_have_attribute("aria-selected", "true")
        assert page.evaluate(SIDEWAYS) <= 0
    context.close()
