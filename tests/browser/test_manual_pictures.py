"""deploy/manual_pictures.py finds on the page what it takes the manual's pictures of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from data.install_paths import FILES
from support.fakes.fake_api import ADMIN
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.loaded import loaded

pytestmark = pytest.mark.browser
DEPLOY = FILES / "deploy"


@pytest.mark.deploy
def test_every_picture_of_the_manual_can_be_taken_anew(
    page: Page, site: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = loaded(DEPLOY / "manual_pictures.py")

    @contextmanager
    def visitor(address: str) -> Iterator[Page]:  # of the browser that is open already
        page.goto(address)
        yield page

    quick = {"FOLDER": tmp_path / "manual", "visitor": visitor, "SETTLED_MS": 0}
    for name, value in (quick | {"QUESTIONS": 1, "PAUSE_S": 0.1}).items():
        monkeypatch.setattr(script, name, value)
    clips = []
    for place, label in enumerate(("fluid", "normal", "fluid")):
        clips.append(tmp_path / label / f"{place}.wav")
        clips[-1].parent.mkdir(exist_ok=True)
        clips[-1].write_bytes(tone(65 + place))
    keep(world, "faults", "normal", state="quarantined")  # the fake queues no corrections
    script.main(site.removesuffix("/ui/"), ADMIN, *map(str, clips))
    taken = {path.name for path in (tmp_path / "manual").iterdir()}
    assert taken == {path.name for path in (DEPLOY / "manual").iterdir()}
