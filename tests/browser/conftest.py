"""What the browser tests share: a Chromium, a fake service, and the page below /ui."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from serve_app.ui.app import build_page
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server, below_ui
from support.pages import CHROMIUM, FLAGS

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if not os.access(CHROMIUM, os.X_OK):
                item.add_marker(pytest.mark.skip(reason=f"no browser at {CHROMIUM}"))


@pytest.fixture(scope="module")
def world() -> World:
    return World(step_s=0.1)


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all pages of this process: Gradio finds it by the environment."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def site(world: World, uploads: Path) -> Iterator[str]:
    """The page below /ui, as the proxy serves it. Yields its address."""
    service = create(world)
    with Server(service) as api, Server(below_ui(build_page(api, uploads), service)) as at:
        yield f"{at}/ui/"


# Not for the session: while it is open, its event loop is that of this thread, and others' tests
# could run none.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "pump.wav"
    path.write_bytes(tone(65, seconds=2.0))
    return path
