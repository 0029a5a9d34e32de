"""Takes the manual's pictures of a running service that is there for nothing else:

    python deploy/manual_pictures.py http://127.0.0.1:8000 KEY CLIP CLIP ...

KEY is the admin's. Each clip lies in a folder of its label's name, one of `faults`; the model has
better not heard it before. Some are corrected as a visitor would, the others by the admin, and the
last is only asked about; a teach and a minute of questions later there is something to see on every
place. The photograph is one that the page draws: nobody's rights are in it. What is there in
`deploy/manual/` is replaced.
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
WIDTH, HEIGHT, MOST_HEIGHT = 1120, 920, 1240
PATIENCE_MS = 120_000
SETTLED_MS = 2_500  # figures come after what they belong to
PLACES = {"teach": "#shown figure", "models": "#versions", "health": "#service .tt-curve >> nth=2"}
QUESTIONS, PAUSE_S = 60, 1.0
QUALITY = 80  # of WebP: 20 to 60 KB a picture


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
    """Down to the end of the figure, and of a long one without the page's header."""
    expect(page.locator("#answer .tt-label")).to_be_visible()
    expect(page.locator("#figure figure")).to_be_visible()
    page.wait_for_timeout(SETTLED_MS)
    box = page.locator("#figure figure").bounding_box()
    bottom = round(box["y"] + box["height"]) + 16 if box else HEIGHT
    keep(page, name, top=max(0, bottom - MOST_HEIGHT), height=min(bottom, MOST_HEIGHT))


def keep(page: Page, name: str, top: int = 0, height: int = HEIGHT) -> None:
    page.wait_for_timeout(SETTLED_MS)
    seen = page.screenshot(
        full_page=True, clip={"x": 0, "y": top, "width": WIDTH, "height": height}
    )
    Image.open(io.BytesIO(seen)).convert("RGB").save(FOLDER / f"{name}.webp", quality=QUALITY)


def main(url: str, key: str, *files: str) -> None:
    clips = [Path(name) for name in files]
    FOLDER.mkdir(exist_ok=True)
    with Client(url, key) as client:
        used(client, clips[:-1])
    with visitor(f"{url}/ui/?key={key}&domain={SOUNDS}") as page:
        page.set_input_files("#drop input[type=file]", files[-1])
        keep_answer(page, "ask")
        for place, part in PLACES.items():
            page.locator(f"#place-{place}-button").click()
            expect(page.locator(part)).to_be_visible()
            keep(page, place)
    with visitor(f"{url}/ui/?domain={PHOTOGRAPHS}") as page:
        page.get_by_role("button", name="a drawn crack").click()
        keep_answer(page, "ask-photograph")


if __name__ == "__main__":
    main(*sys.argv[1:])
