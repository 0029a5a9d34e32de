"""python -m data fetch, of a recipe: what the shipped models learnt from, from a real server."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from data.__main__ import main
from data.datasets.sources import fine_label
from data.domains.domain import load_domains
from data.fetch import recipes
from data.fetch.catalogue import CATALOGUE
from data.fetch.recipes import load_recipe, recipe_names
from support.local_server import Server

Files = dict[str, bytes]
Row = dict[str, str]

DOMAINS = load_domains().values()
WRONG_MASKS = ("042", "093", "097")

SOUNDS = """
title: sounds
parts:
  - published: esc50
    path: "{label}/esc50_{stem}{ending}"
    labels: {loud: [siren, engine], soft: [rain]}
    left_out: 1-2-A-42
  - published: urbansound8k
    path: "{label}/us8k_{stem}{ending}"
    labels: {loud: [siren]}
    clips: 7-8-0-0 8-8-0-0
    groups: [7-8-0-0 8-8-0-0]
    tested: 8-8-0-0
"""


def esc50(clips: dict[str, str]) -> Files:
    """Categories by the names of clips."""
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for name, category in clips.items():
        fold, source, take, target = name.split("-")
        rows.append(f"{name}.wav,{fold},{target},{category},False,{source},{take}")
    return {"meta/esc50.csv": "\n".join(rows).encode()} | {
        f"audio/{name}.wav": name.encode() for name in clips
    }


def urbansound8k(clips: dict[str, tuple[str, str]]) -> Files:
    """Folds and classes by the names of clips."""
    rows = ["slice_file_name,fsID,fold,class"]
    rows += [f"{n}.wav,{n.split('-')[0]},{fold},{kind}" for n, (fold, kind) in clips.items()]
    return {"metadata/UrbanSound8K.csv": "\n".join(rows).encode()} | {
        f"audio/fold{fold}/{name}.wav": name.encode() for name, (fold, _) in clips.items()
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Files]]:
    """What the server has: files in archives, by the name of the data set."""
    sets: dict[str, Files] = {}

    def answer(asked: Request) -> Response:
        name = asked.path_params["name"]
        return Response(archive(sets[name]) if name in sets else b"", 200 if name in sets else 404)

    with Server(Starlette(routes=[Route("/{name}.zip", answer)])) as address:
        for name, known in CATALOGUE.items():
            there = replace(known, checksum=None, url=f"{address}/{name}.zip")
            monkeypatch.setitem(CATALOGUE, name, there)
        yield sets


def archive(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"SET-master/{name}", content)
    return out.getvalue()


@pytest.fixture
def sounds(tmp_path: Path, offered: dict[str, Files], monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of two data sets, and a server that has both."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "sounds.yaml").write_text(SOUNDS)
    monkeypatch.setattr(recipes, "RECIPES", tmp_path / "recipes")
    kinds = {"1-1-A-42": "siren", "1-2-A-42": "siren", "5-3-A-10": "rain", "1-4-A-0": "dog"}
    offered["esc50"] = esc50(kinds)
    folds = {"7-8-0-0": ("1", "siren"), "8-8-0-0": ("1", "siren"), "9-8-0-0": ("10", "siren")}
    offered["urbansound8k"] = urbansound8k(folds)


def listed(folder: Path) -> list[Row]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.usefixtures("sounds")
def test_a_recipe_takes_what_it_names_from_each_data_set(root: Path) -> None:
    assert main(["fetch", "sounds", "--as", "mine"]) == 0
    rows = {
        row["path"]: (row["label"], row["split"], row["source"]) for row in listed(root / "mine")
    }
    assert rows == {
        "loud/esc50_1-1-A-42.wav": ("loud", "train", "ESC-50:siren"),
        "soft/esc50_5-3-A-10.wav": ("soft", "test", "ESC-50:rain"),
        "loud/us8k_7-8-0-0.wav": ("loud", "test", "UrbanSound8K:siren"),
        "loud/us8k_8-8-0-0.wav": ("loud", "test", "UrbanSound8K:siren"),
    }
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {f"mine/{name}" for name in (*rows, "manifest.csv", "receipt.json")}
    parts = json.loads((root / "mine" / "receipt.json").read_text())["parts"]
    assert [part["licence"][:8] for part in parts] == ["CC BY-NC", "CC BY-NC"]
    assert all(len(part["sha256"]) == 64 for part in parts)
    assert main(["fetch", "sounds", "--as", "mine"]) == 0  # and no second time


@pytest.mark.usefixtures("sounds")
def test_a_data_set_that_was_fetched_is_taken_from_there(
    root: Path, offered: dict[str, Files]
) -> None:
    assert main(["fetch", "esc50"]) == 0
    del offered["esc50"]
    assert main(["fetch", "sounds"]) == 0
    assert (root / "esc50" / "manifest.csv").is_file()
    assert not (root / ".fetch").exists()


@pytest.mark.usefixtures("sounds")
def test_clips_that_are_gone_are_said_and_nothing_is_left_half_done(
    root: Path, offered: dict[str, Files], capsys: pytest.CaptureFixture[str]
) -> None:
    offered["urbansound8k"] = urbansound8k({"7-8-0-0": ("1", "siren")})
    assert main(["fetch", "sounds"]) == 1
    assert "urbansound8k has 1 of the 2 clips no longer" in capsys.readouterr().err
    assert not (root / "sounds").exists()
    assert main(["fetch", "sounds", "--url", "http://127.0.0.1:9/x.zip"]) == 1
    assert "fetch what has a mirror first" in capsys.readouterr().err


def test_recipes_are_listed_beside_public_data_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    said = capsys.readouterr().out
    assert all(load_recipe(name).title in said for name in recipe_names())
    assert set(recipe_names()) == {domain.source.dataset for domain in load_domains().values()}
    assert not set(recipe_names()) & set(CATALOGUE)


def stem(row: Row) -> str:
    return Path(row["path"]).stem


def as_esc50(rows: list[Row]) -> Files:
    mine = {stem(row).removeprefix("esc50_"): row for row in rows if "ESC-50" in row["source"]}
    more = {"5-999999-A-0": "dog", "1-999999-A-20": "crying_baby"}  # which nobody learnt from
    return esc50({name: row["source"].split(":")[1] for name, row in mine.items()} | more)


def as_urbansound8k(rows: list[Row]) -> Files:
    mine = [row for row in rows if "UrbanSound8K" in row["source"]]
    kinds = {stem(row)[5:]: row["source"].split(":")[1:] for row in mine}
    return urbansound8k({name: (fold[4:], kind) for name, (kind, fold) in kinds.items()})


def as_fsdd(rows: list[Row]) -> Files:
    return {f"recordings/{stem(row)}.wav": b"" for row in rows} | {"recordings/0_theo_14.wav": b""}


def as_yaseen2018(rows: list[Row]) -> Files:
    names = [*map(stem, rows), "New_MR_046"]  # which is a copy under another label
    return {f"Data/{name.split('_')[1]}_New/{name}.wav": b"" for name in names}


def as_crackforest(rows: list[Row]) -> Files:
    out = io.BytesIO()
    savemat(out, {"groundTruth": {"Segmentation": np.array([[1, 2], [1, 1]], np.uint16)}})
    others = ("023", *WRONG_MASKS)
    names = [*(stem(row)[4:] for row in rows if row["source"] == "CFD"), *others]
    masks = {f"groundTruth/{name}.mat": out.getvalue() for name in names}
    return masks | {f"image/{name}.jpg": b"" for name in names}


def as_deepcrack_256(rows: list[Row]) -> Files:
    mine = [row for row in rows if row["source"] == "DeepCrack"]
    places = [f"dataset/DeepCrack/{row['split']}" for row in mine]
    names = [f"{place}_img/{stem(row)[10:]}.jpg" for place, row in zip(places, mine, strict=True)]
    masks = [name.replace("_img/", "_lab/").replace(".jpg", ".png") for name in names]
    return dict.fromkeys((*names, *masks, "dataset/dc_512/train_img/11112.jpg"), b"")


OFFERS: dict[str, Callable[[list[Row]], Files]] = {
    "esc50": as_esc50,
    "urbansound8k": as_urbansound8k,
    "fsdd": as_fsdd,
    "yaseen2018": as_yaseen2018,
    "crackforest": as_crackforest,
    "deepcrack_256": as_deepcrack_256,
}


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_gives_the_clips_that_the_shipped_model_learnt_from(
    name: str, datasets: Path, root: Path, offered: dict[str, Files]
) -> None:
    (out,) = ({row.path for row in d.source.left_out} for d in DOMAINS if d.source.dataset == name)
    right = [row for row in listed(datasets / name) if row["path"] not in out]
    for part in load_recipe(name).parts:
        offered[part.published] = OFFERS[part.published](right)
    assert main(["fetch", name]) == 0
    found = listed(root / name)
    assert sorted(map(told, found)) == sorted(map(told, right))
    pairs = {
        (ours["group"], theirs["group"])
        for ours, theirs in zip(*map(ordered, (found, right)), strict=True)
    }
    assert len(pairs) == len({group for group, _ in pairs}) == len({group for _, group in pairs})
    for row in found:
        assert all((root / name / row[column]).is_file() for column in {"path", "mask"} & set(row))
    if name == "cracks":
        assert np.asarray(Image.open(root / name / "masks" / "cfd_001.png")).tolist() == [
            [False, True],
            [False, False],
        ]


def told(row: Row) -> tuple[str, ...]:
    """All but the group, whose name may be another, the ending, and the fold it is from."""
    label = row.get("label", "")
    return (
        str(Path(row["path"]).with_suffix("")),
        label,
        row["split"],
        fine_label(row["source"], label),
    )


def ordered(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: Path(row["path"]).with_suffix(""))
