"""Takes the manual's pictures of a running service, one of each tab, into var/manual:

python deploy/manual_pictures.py http://127.0.0.1:8000/ui?key=... [clip.wav]
"""

import sys

from playwright.sync_api import sync_playwright

from data.install_paths import own_folder

WIDTH, HEIGHT = 1100, 800
SETTLED_MS = 2_000  # plots and tables come after the tab


def main(address: str, clip: str = "") -> None:
    folder = own_folder("var") / "manual"
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(address)
        page.get_by_role("tab").first.wait_for()
        if clip:
            page.locator("input[type=file]").first.set_input_files(clip)
        for tab in page.get_by_role("tab").all():
            if tab.is_visible():
                tab.click()
                page.wait_for_timeout(SETTLED_MS)
                name = tab.inner_text().strip().lower().replace(" ", "-")
                page.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
