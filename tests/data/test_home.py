"""One folder holds everything that is produced at run time."""

import os
import stat
import subprocess
import sys
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


def test_models_may_be_elsewhere_too_also_where_an_mlflow_server_keeps_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tracking in ("postgresql://u@db/mlflow", "http://mlflow:5000"):
        named = {"TELLTALE_HOME": tmp_path, "MLFLOW_TRACKING_URI": tracking}
        assert home(**named, TELLTALE_ARTIFACTS_URI="/models").artifact_root == "/models"
    with pytest.raises(InvalidParameter, match=r"TELLTALE_ARTIFACTS_URI .* got 'models'"):
        home(TELLTALE_HOME=tmp_path, TELLTALE_ARTIFACTS_URI="models")
    monkeypatch.setitem(sys.modules, "boto3", None)  # as where it is not installed
    with pytest.raises(InvalidParameter, match="pip install boto3"):
        home(TELLTALE_HOME=tmp_path, TELLTALE_ARTIFACTS_URI="s3://bucket/models")


def test_training_may_keep_its_state_elsewhere_in_a_folder_its_clips_too(tmp_path: Path) -> None:
    bucket = home(TELLTALE_HOME=tmp_path, TELLTALE_RUNS_URI="s3://bucket/runs")
    assert (bucket.runs, bucket.checkpoints) == (tmp_path / "runs", "s3://bucket/runs")
    for uri in ("/shared/runs", "file:///shared/runs"):
        folder = home(TELLTALE_HOME=tmp_path, TELLTALE_RUNS_URI=uri)
        assert (str(folder.runs), folder.checkpoints) == ("/shared/runs", "/shared/runs")
    for uri in ("runs", "ftp://host/runs"):
        with pytest.raises(InvalidParameter, match=f"TELLTALE_RUNS_URI .* got '{uri}'"):
            home(TELLTALE_HOME=tmp_path, TELLTALE_RUNS_URI=uri)


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


def made(tmp_path: Path, root: Path, *commands: str) -> dict[str, int]:
    """What real commands leave in a home: name -> mode."""
    environment = {
        **os.environ,
        "TELLTALE_HOME": str(root),
        "TELLTALE_DATASETS": str(tmp_path / "none"),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for command in commands:
        line = f"umask 002; python -m {command}"
        subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True)
    return {str(path.relative_to(root)): path.stat().st_mode for path in root.rglob("*")}


def test_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    retrain = "training.retrain faults --mode teach"
    modes = made(tmp_path, tmp_path / "home", "serve_app key ann viewer", retrain)
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert {"telltale.db", "mlflow.db", "blobs"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_a_home_that_others_could_read_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    home(TELLTALE_HOME=tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_home_that_a_group_shares_stays_the_groups(tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    root.chmod(0o2775)
    modes = made(tmp_path, root, "serve_app key ann viewer")
    assert stat.S_IMODE(root.stat().st_mode) == 0o2770
    assert stat.S_IMODE(modes["blobs"]) & 0o777 == 0o770


def test_a_folder_of_everybodys_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    home(TELLTALE_HOME=tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
