"""Takes the manual's pictures of a running service that is there for nothing else:

    python deploy/manual_pictures.py http://127.0.0.1:8000 KEY CLIP CLIP ...

KEY is the admin's. Each clip lies in a folder of its label's name, one of `faults`, and its model has
better not heard it before. Some are corrected as a visitor would, the others by the admin; a teach
and a minute of questions later there is something to see on every place. The photograph is the page's
own, drawn: nobody's rights are in it. What is there in `deploy/manual/` is replaced.
"""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from serve_app.client.calls.retrains import ENDED
from serve_app.client.client import Client

FOLDER = Path(__file__).parent / "manual"
SOUNDS, PHOTOGRAPHS = "faults", "cracks"
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT, MOST_HEIGHT = 1120, 840, 1240
PATIENCE_MS = 120_000
SETTLED_MS = 2_500  # figures come after what they belong to
QUESTIONS, PAUSE_S = 60, 1.0
COLOURS = 96


def used(client: Client, clips: list[Path]) -> None:
    """Corrections that wait, others that are learnt, and questions."""
    for number, clip in enumerate(clips):
        sender = client.without_key() if number % 3 == 0 else client
        sender.correct(SOUNDS, clip.read_bytes(), clip.parent.name)
    run = client.retrain(SOUNDS, "teach", reason="what the night shift heard")
    while client.run(SOUNDS, run.id).state not in ENDED:
        time.sleep(PAUSE_S)
    for clip in islice(cycle(clips), QUESTIONS):
        client.predict(SOUNDS, clip.read_bytes())
        time.sleep(PAUSE_S)


@contextmanager
def visitor(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB")
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.goto(address)
        yield page
        browser.close()


def keep_answer(page: Page, name: str) -> None:
    expect(page.locator("#answer .tt-label")).to_be_visible()
    expect(page.locator("#figure figure")).to_be_visible()
    keep(page, name)


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(SETTLED_MS)
    height = min(MOST_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
    seen = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    shot = Image.open(io.BytesIO(seen)).convert("RGB")
    picture = shot.quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(FOLDER / f"{name}.png", optimize=True)


def main(url: str, key: str, *files: str) -> None:
    clips = [Path(name) for name in files]
    FOLDER.mkdir(exist_ok=True)
    with Client(url, key) as client:
        used(client, clips)
    with visitor(f"{url}/ui/?key={key}&domain={SOUNDS}") as page:
        page.set_input_files("#drop input[type=file]", files[0])
        keep_answer(page, "ask")
        for place, part in (("teach", "#desk"), ("models", "#versions"), ("health", "#service")):
            page.locator(f"#place-{place}-button").click()
            expect(page.locator(part)).to_be_visible()
            keep(page, place)
    with visitor(f"{url}/ui/?domain={PHOTOGRAPHS}") as page:
        page.get_by_role("button", name="a drawn crack").click()
        keep_answer(page, "ask-photograph")


if __name__ == "__main__":
    main(*sys.argv[1:])
