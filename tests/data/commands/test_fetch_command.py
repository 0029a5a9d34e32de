"""python -m data fetch: from a real server to a folder that can be trained on."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from data.__main__ import main
from data.datasets.manifests import DIGITS
from data.fetch.catalogue import CATALOGUE
from support.local_server import Server

ESC50 = "filename,fold,target,category,esc10,src_file,take\n" + "".join(
    f"{fold}-{source}-A-0.wav,{fold},0,dog,True,{source},A\n"
    for fold, source in ((1, 100), (2, 200), (5, 200), (5, 300))
)


def crack() -> bytes:
    """Of two pixels, as CrackForest has its masks."""
    out = io.BytesIO()
    savemat(out, {"groundTruth": {"Segmentation": np.array([[1, 2]], np.uint16)}})
    return out.getvalue()


SETS: dict[str, Mapping[str, str | bytes]] = {
    "esc50": {"meta/esc50.csv": ESC50},
    "urbansound8k": {
        "metadata/UrbanSound8K.csv": "slice_file_name,fsID,fold,class\n7-1.wav,7,1,dog_bark\n"
        "8-1.wav,8,10,siren\n"
    },
    "speech_commands": {
        "testing_list.txt": "right/b_nohash_0.wav\n",
        "right/a_nohash_0.wav": "",
        "right/b_nohash_0.wav": "",
        "_background_noise_/pink.wav": "",
    },
    "fsdd": {f"recordings/{digit}_ann_{take}.wav": "" for digit in range(10) for take in (4, 5)},
    "physionet2016": {
        "training-a/REFERENCE.csv": "a0001,1\na0002,-1\na0011,-1\na0007,1\na0008,1\na0009,1\n",
    },
    "deepcrack": {
        "train_img/11-1.jpg": "",
        "train_img/12.jpg": "",
        "test_img/11-2.jpg": "",
        "README.md": "",
    },
    "deepcrack_256": {
        "dataset/DeepCrack/train_img/11-1.jpg": "",
        "dataset/DeepCrack/test_img/11-2.jpg": "",
        "dataset/DeepCrack/test_img/12.jpg": "",
        "dataset/DeepCrack/train_img/13.jpg": "",
        "dataset/dc_512/train_img/13.jpg": "",
    },
    "yaseen2018": {
        f"Data/{kind}_New/New_{kind}_00{take}.wav": ""
        for kind in ("AS", "MR", "MS", "MVP", "N")
        for take in range(1, 4)
    },
    "crackforest": {f"image/00{take}.jpg": "" for take in range(1, 9)}
    | {f"groundTruth/00{take}.mat": crack() for take in range(1, 9)},
}


def archive(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in files.items():
            packed.writestr(f"SET-master/{name}", text)
    return out.getvalue()


@pytest.fixture
def url() -> Iterator[str]:
    app = Starlette(
        routes=[
            Route("/{name}.zip", lambda asked: Response(archive(SETS[asked.path_params["name"]])))
        ]
    )
    with Server(app) as address:
        yield address


@pytest.fixture(autouse=True)
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path))
    # What stands there is not the file that was published.
    for name, known in CATALOGUE.items():
        monkeypatch.setitem(CATALOGUE, name, replace(known, checksum=None))
    return tmp_path


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_set_is_fetched_with_its_terms_and_a_receipt(
    url: str, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "esc50", "--url", f"{url}/esc50.zip"]) == 0
    said = capsys.readouterr().out
    assert "CC BY-NC 3.0" in said
    assert "checksum  not published" in said
    assert "1 clips to train on, 2 to test" in said
    receipt = json.loads((datasets / "esc50" / "receipt.json").read_text())
    assert receipt["url"] == f"{url}/esc50.zip"
    assert receipt["bytes"] == len(archive(SETS["esc50"]))
    assert len(receipt["sha256"]) == 64
    assert receipt["licence"].startswith("CC BY-NC 3.0")
    assert receipt["fetched_at"].endswith("+00:00")
    assert {path.name for path in datasets.iterdir()} == {"esc50"}


def test_what_was_fetched_is_not_fetched_again(
    url: str, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fetch", "esc50", "--url", f"{url}/esc50.zip"])
    assert main(["fetch", "esc50", "--url", "http://127.0.0.1:9/gone"]) == 0
    assert "was fetched before" in capsys.readouterr().out
    (datasets / "mine").mkdir()
    assert main(["fetch", "esc50", "--as", "mine"]) == 1
    assert "was not fetched; name another by --as" in capsys.readouterr().err


def test_a_page_instead_of_an_archive_leaves_nothing(
    url: str, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Starlette(routes=[Route("/x.zip", lambda _: Response(b"<html>please log in"))])
    with Server(app) as address:
        assert main(["fetch", "esc50", "--url", f"{address}/x.zip"]) == 1
    assert "neither a zip nor a tar archive" in capsys.readouterr().err
    assert not [path for path in datasets.rglob("*") if path.is_file()]
    assert main(["fetch", "esc50", "--url", f"{url}/esc50.zip"]) == 0


def test_an_unknown_set_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "esc51"]) == 1
    assert "known are cracks, faults, hearts, keywords, wildlife, esc50" in capsys.readouterr().err
    assert main(["fetch"]) == 0
    listed = capsys.readouterr().out
    assert all(known.licence in listed for known in CATALOGUE.values())


@pytest.mark.parametrize("name", [name for name, known in CATALOGUE.items() if known.rows])
def test_each_set_is_listed_without_a_group_on_both_sides(
    url: str, datasets: Path, name: str
) -> None:
    assert main(["fetch", name, "--url", f"{url}/{name}.zip"]) == 0
    rows = manifest(datasets / name)
    sides = {
        side: {row["group"] for row in rows if row["split"] == side} for side in ("train", "test")
    }
    assert all(sides.values())
    assert not sides["train"] & sides["test"]


def test_digits_are_called_by_their_names(url: str, datasets: Path) -> None:
    main(["fetch", "fsdd", "--url", f"{url}/fsdd.zip", "--as", "keywords"])
    rows = manifest(datasets / "keywords")
    assert {row["label"] for row in rows} == set(DIGITS)
    assert all((datasets / "keywords" / row["path"]).is_file() for row in rows)
    assert rows[0]["speaker"] == "ann"


def test_a_set_whose_layout_has_changed_is_kept_without_a_list(
    url: str, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "esc50", "--url", f"{url}/fsdd.zip"]) == 0
    assert "it has no manifest.csv" in capsys.readouterr().out
    assert (datasets / "esc50" / "receipt.json").is_file()
