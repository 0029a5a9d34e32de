"""What a home has trained is asked, also before its service has ever run."""

from pathlib import Path

import pytest

from data.errors import NotReady
from data.home import Home, home_from_env
from serve_app.replica.current_version import current_version
from support.fakes.own_files import know_digits
from support.tiny import fresh_registry, tiny_champion


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    know_digits(tmp_path / "mine", monkeypatch)
    found = home_from_env({"TELLTALE_HOME": str(tmp_path / "home")})
    fresh_registry(found.root)
    return found


def test_what_to_do_about_a_domain_without_a_model_is_said(place: Home) -> None:
    with pytest.raises(NotReady, match=r"train it: telltale retrain digits$"):
        current_version(place, "digits")


@pytest.mark.parametrize("name", ["digits", "keywords"])
def test_what_was_trained_here_is_asked_without_a_server(place: Home, name: str) -> None:
    bundle = tiny_champion(place.root, name)
    served = current_version(place, name)
    assert (served.version, served.digest) == ("1", bundle.digest)


def test_what_is_shipped_is_asked_where_nothing_was_trained(place: Home, tmp_path: Path) -> None:
    assert current_version(place, "keywords").version == "shipped"
    bare = home_from_env({"TELLTALE_HOME": str(tmp_path / "bare")})
    assert current_version(bare, "keywords").version == "shipped"
    assert not (bare.root / "mlflow.db").exists()  # nothing is made only to look
