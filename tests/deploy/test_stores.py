"""A PostgreSQL, an S3 store and an MLflow server at once, as deploy/compose.yaml has them.

All that a service keeps is theirs: in an empty home, as on another machine, another one serves what
this one was taught.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from pyarrow.fs import FileSelector, FileSystem

from support.fakes.fake_s3 import KEYS, s3_store
from support.inputs.sounds import tone
from support.service import Service, finished, free_port, started, wait_until_registered

pytestmark = pytest.mark.deploy
PATIENCE_S = 120
CLIP = tone(hz=400, seconds=0.4, rate_hz=8000, seed=1)  # between "two" and "three"


@pytest.fixture
def bucket() -> Iterator[str]:
    with s3_store("telltale") as address:
        yield address


@contextmanager
def mlflow_server(database: str, bucket: str, folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", port]
    command += ["--workers", "1", "--backend-store-uri", database]
    command += ["--artifacts-destination", "s3://telltale/models"]
    environment = os.environ | KEYS | {"MLFLOW_S3_ENDPOINT_URL": f"http://{bucket}"}
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(f"http://{address}/health"):
            assert process.poll() is None, (folder / "mlflow.log").read_text("utf-8")
            assert time.monotonic() < deadline, (folder / "mlflow.log").read_text("utf-8")
            time.sleep(0.5)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def service(home: Path, **stores: str) -> Iterator[Service]:
    home.mkdir()
    with started(home, TELLTALE_DOMAINS="keywords", **stores) as running:
        wait_until_registered(running)
        yield running


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_what_was_taught_outlives_the_machine_that_it_was_taught_to(
    new_database_url: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database_url.replace("postgresql://", "postgresql+psycopg://")
    with mlflow_server(database, bucket, tmp_path) as tracking:
        clips = f"s3://telltale/clips?endpoint_override={bucket}&scheme=http&region=us-east-1"
        stores = KEYS | {
            "TELLTALE_DATABASE_URL": database,
            "TELLTALE_STORAGE_URI": clips,
            "MLFLOW_TRACKING_URI": tracking,
        }
        with service(tmp_path / "one", **stores) as one, one.client(one.admin_key) as admin:
            receipt = admin.post("/feedback", files={"file": CLIP}, data={"label": "three"}).json()
            ordered = admin.post("/retrain", json={"mode": "teach"}).raise_for_status().json()
            result = finished(admin, ordered["id"], PATIENCE_S)["result"]
            assert result["promoted"], result
        shutil.rmtree(tmp_path / "one")
        with service(tmp_path / "two", **stores) as two, two.client(two.admin_key) as admin:
            answer = admin.post("/predict", files={"file": CLIP}).json()
            sha256 = admin.get(f"/feedback/{receipt['receipt']}").json()["clip"]
            kept = admin.get(f"/clips/{sha256}/content")
        asked = {"name": "telltale.keywords", "alias": "champion"}
        route = f"{tracking}/api/2.0/mlflow/registered-models/alias"
        champion = httpx.get(route, params=asked, trust_env=False).json()["model_version"]
    assert answer["label"] == "three"
    assert answer["model"]["version"] == result["version"] == champion["version"]
    assert kept.content == CLIP
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for there in (clips, clips.replace("telltale/clips", "telltale/models")):
        filesystem, folder = FileSystem.from_uri(there)
        assert filesystem.get_file_info(FileSelector(folder))
    with psycopg.connect(new_database_url) as connection:
        rows = connection.execute("SELECT sha256 FROM clips").fetchall()
    assert rows == [(sha256,)]
