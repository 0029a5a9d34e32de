"""One folder holds everything that is produced at run time."""

import os
from pathlib import Path

import pytest

from data.errors import InvalidParameter
from data.home import Home, home_from_env


def home(**environ: object) -> Home:
    return home_from_env({name: str(value) for name, value in environ.items()})


def test_everything_lies_in_the_home_unless_told_otherwise(tmp_path: Path) -> None:
    root = tmp_path / "new" / "home"
    made = home(TELLTALE_HOME=root)
    assert root.is_dir()
    assert made.root == root
    assert made.database_url == f"sqlite:///{root}/telltale.db"
    assert made.tracking_uri == f"sqlite:///{root}/mlflow.db"
    assert (made.storage_uri, made.artifact_root) == (f"{root}/blobs", f"{root}/artifacts")
    assert (made.bundles, made.runs) == (root / "bundles", root / "runs")


def test_databases_and_storage_may_be_elsewhere(tmp_path: Path) -> None:
    made = home(
        TELLTALE_HOME=tmp_path,
        TELLTALE_DATABASE_URL="postgresql://u:secret@db/telltale",
        TELLTALE_STORAGE_URI="s3://bucket/clips",
        MLFLOW_TRACKING_URI="http://mlflow:5000",
    )
    assert made.database_url == "postgresql://u:secret@db/telltale"
    assert made.storage_uri == "s3://bucket/clips"
    assert made.artifact_root is None, "an MLflow server has its own"
    assert "secret" not in repr(made)


def test_an_empty_setting_is_no_setting(tmp_path: Path) -> None:
    made = home(TELLTALE_HOME=tmp_path, TELLTALE_DATABASE_URL="")
    assert made.database_url == f"sqlite:///{tmp_path}/telltale.db"


def test_a_relative_home_means_the_same_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert home(TELLTALE_HOME="here").root == tmp_path / "here"


@pytest.mark.parametrize("place", ["file", "file/under"])
def test_a_home_that_is_a_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidParameter, match="TELLTALE_HOME must be a folder"):
        home(TELLTALE_HOME=tmp_path / place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("place", [".", "under"])
def test_a_home_nobody_may_write_to_is_refused(tmp_path: Path, place: str) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidParameter, match="TELLTALE_HOME .*this user"):
        home(TELLTALE_HOME=tmp_path / place)
