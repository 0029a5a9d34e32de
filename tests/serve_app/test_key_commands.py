"""`telltale keys`: what an admin does at the machine itself, whether the service runs or not."""

from pathlib import Path

import pytest

from data.access_keys import digest_of
from data.store.store import Store
from serve_app.key_commands import main
from support.keys import old_key


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(words) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_a_key_from_its_making_to_its_end(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no keys" in said(capsys)
    key = said(capsys, "add", "ann", "viewer", "--days", "7").splitlines()[0]
    assert list(found_store.keys.by_digest()) == [digest_of(key)]
    assert said(capsys).split()[:3] == ["ann", "viewer", "until"]
    other = said(capsys, "rotate", "ann").splitlines()[0]
    assert list(found_store.keys.by_digest()) == [digest_of(other)]
    assert "until revoked" in said(capsys, "expire", "ann")
    said(capsys, "revoke", "ann")
    assert found_store.keys.by_digest() == {}
    assert "no key for 'ann'" in said(capsys, "revoke", "ann", code=1)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "soon", "1e9"])
def test_days_that_are_none_are_refused_in_words(
    found_store: Store, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    with pytest.raises(SystemExit):
        main(["expire", "ann", f"--days={days}"])
    assert "days are a number up to 3650" in capsys.readouterr().err


def test_keys_of_an_older_telltale_are_among_them(
    found_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_key(tmp_path / "home", "ann", "viewer")
    assert said(capsys).startswith("ann ")
    (tmp_path / "home" / "keys.json").write_text("{")
    assert "keys.json" in said(capsys, "add", "bob", "viewer", code=1)
