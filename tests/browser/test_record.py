"""Recording in Ask, with Chromium's own beeps for a microphone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from support.inputs.sounds import tone
from support.pages import CHROMIUM, FLAGS, answered, choose_domain, open_page

LENT = """
const lend = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (what) => (window.lent = await lend(what));
"""
ENDED = "(window.lent?.getTracks() ?? []).every((one) => one.readyState === 'ended')"
BROKEN = {
    "The microphone was refused. Allow it": (
        "navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('no', 'NotAllowedError') }"
    ),
    "There is no sound from the microphone: no device": (
        "MediaRecorder = class { constructor() { throw Error('no device') } }"
    ),
}


def test_a_recording_from_the_microphone_is_answered_when_it_ends(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(1200)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#answer .tt-label")).to_be_visible()


def test_what_the_microphone_hears_is_what_is_answered(
    browser: Browser, site: str, tmp_path: Path
) -> None:
    heard = tmp_path / "pump.wav"
    heard.write_bytes(tone(65, seconds=5.0, rate_hz=48_000))
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={heard}"]
    other = browser.browser_type.launch(executable_path=CHROMIUM, args=flags)
    page = other.new_page()
    open_page(page, site)
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    answered(page, "electrical")
    other.close()


def test_what_is_recorded_of_one_domain_is_not_asked_of_another(page: Page, site: str) -> None:
    open_page(page, site)
    record = page.locator("[data-do=record]")
    record.click()
    expect(record).to_have_text("Stop 0 s")
    choose_domain(page, "Cracks", "Is there a crack?")
    expect(record).to_have_text("Record")
    page.wait_for_timeout(500)
    expect(page.locator("#answer .tt-empty")).to_contain_text("Here you read", timeout=1)


@pytest.mark.parametrize("said", BROKEN)
def test_a_microphone_that_is_refused_or_fails_is_explained_and_let_go(
    page: Page, site: str, said: str
) -> None:
    page.add_init_script(LENT + BROKEN[said])
    open_page(page, site)
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#drop")).to_contain_text(said)
    assert page.evaluate(ENDED)
