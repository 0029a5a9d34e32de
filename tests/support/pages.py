"""What a person does on every place of the page, for the browser tests, and in which browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone for the test that records: Chromium's own beeps.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("radio", name="Machine faults")).to_be_checked()
    expect(page.locator("#header")).to_contain_text("machine's sound")


def choose_domain(page: Page, title: str, described: str) -> None:
    page.get_by_role("radio", name=title).check()
    expect(page.locator("#header")).to_contain_text(described)


def give(page: Page, *clips: Path) -> None:
    page.set_input_files("#drop input[type=file]", [str(clip) for clip in clips])


def answered(page: Page, label: str) -> None:
    expect(page.locator("#answer .tt-label")).to_have_text(label)
    expect(page.locator("#figure figure")).to_be_visible()  # the last of the answer to arrive
