"""deploy/manual_pictures.py finds on the page what it takes the manual's pictures of."""

from pathlib import Path

import pytest

from data.install_paths import FILES
from support.fakes.fake_api import ADMIN
from support.inputs.sounds import tone
from support.loaded import loaded

pytestmark = pytest.mark.browser
DEPLOY = FILES / "deploy"


def test_every_picture_of_the_manual_can_be_taken_anew(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = loaded(DEPLOY / "manual_pictures.py")
    quick = {"FOLDER": tmp_path / "manual", "SETTLED_MS": 0, "PATIENCE_MS": 15_000}
    for name, value in (quick | {"QUESTIONS": 1, "PAUSE_S": 0.1}).items():
        monkeypatch.setattr(script, name, value)
    clips = []
    for place, label in enumerate(("fluid", "normal", "fluid")):
        clips.append(tmp_path / label / f"{place}.wav")
        clips[-1].parent.mkdir(exist_ok=True)
        clips[-1].write_bytes(tone(65 + place))
    script.main(site.removesuffix("/ui/"), ADMIN, *map(str, clips))
    taken = {path.name for path in (tmp_path / "manual").iterdir()}
    assert taken == {path.name for path in (DEPLOY / "manual").iterdir()}
