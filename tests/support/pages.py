"""What a person does on every place of the page, for the browser tests."""

from pathlib import Path

from playwright.sync_api import Page, expect

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
