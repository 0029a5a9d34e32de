"""telltale report: one page, with the pictures and the lineage that the home can tell of."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.datasets import dataset
from data.domains.domain import load_domains
from data.store.store import Store
from models.bundle import PRETRAINED, load_bundle
from models.insight_sentences import of_exam
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.inputs.uploads import new_clip
from training.report.__main__ import main, write_report


def pictures(page: Path) -> list[str]:
    """Those that the page shows; each is there, and is a picture."""
    names = re.findall(r'<img src="([^"]+)"', page.read_text())
    for name in names:
        with Image.open(page.parent / name) as image:
            assert min(image.size) > 50, name
    return names


def report(domain: str, store: Store | None, folder: Path) -> Path:
    model = load_bundle(PRETRAINED / domain), "shipped"
    return write_report(load_domains(names=(domain,))[domain], model, store, folder)


def test_a_report_shows_clips_curves_and_what_led_to_what(
    found_store: Store, tmp_path: Path
) -> None:
    for seed, label in enumerate(("one", "two")):
        clip = new_clip(tone(300 * (seed + 1)), label, domain="keywords")
        found_store.clips.add(clip, who="ann")
    taken = found_store.snapshots.take("keywords", who="ann")
    found_store.runs.start("r1", domain="keywords", mode="full", reason="", who="ann <the ear>")
    about = {"subject": "run:r1", "who": "ann", "domain": "keywords"}
    found_store.events.add("step", **about, detail={"step": "snapshot", "snapshot": taken.id})
    figures = {"train_loss": 1.0, "validation_loss": 0.9, "validation_macro_f1": 0.5}
    for epoch in (1, 2):
        found_store.events.add("epoch", **about, detail={"epoch": epoch, "of": 2, **figures})
    result = {"version": "7", "promoted": True}
    found_store.runs.update("r1", state="succeeded", who="ann", result=result)
    page = report("keywords", found_store, tmp_path / "report")
    shown = ["clips", "balance", "trends", "confusion", "reliability", "curves-r1"]
    assert pictures(page) == [f"{name}.png" for name in shown]
    text = page.read_text()
    assert "2 clips are kept" in text
    assert "Beside the other labels six is strongest near" in text
    (row,) = re.findall(r"<tr>(<td>.*)</tr>", text)
    cells = re.findall(r"<td>(.*?)</td>", row)
    assert (cells[0], cells[2], cells[3]) == (taken.id[:12], "succeeded", "7, promoted")
    assert cells[1].endswith("ann &lt;the ear&gt;")


def test_photographs_are_shown_with_what_of_them_is_marked(
    found_store: Store, tmp_path: Path
) -> None:
    photograph, mask = cracked(seed=1)
    clip = replace(new_clip(photograph, "crack", domain="cracks"), mask=mask)
    found_store.clips.add(clip, who="ann")
    page = report("cracks", found_store, tmp_path / "report")
    assert pictures(page) == [
        f"{name}.png" for name in ("clips", "balance", "confusion", "reliability")
    ]
    assert of_exam(load_bundle(PRETRAINED / "cracks").card.metrics.exam) in page.read_text()
    with Image.open(page.parent / "clips.png") as clips:
        red, green, blue = np.moveaxis(np.asarray(clips.convert("RGB")).astype(int), 2, 0)
    assert ((red > 150) & (green < 100) & (blue < 60)).sum() > 20, "the crack is marked"


def test_without_clips_the_model_is_told_of_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "none"))
    assert main(["hearts", "--output", str(tmp_path / "report")]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert pictures(page) == ["balance.png", "trends.png", "confusion.png", "reliability.png"]
    assert "No clips are kept here" in page.read_text()
    assert "No run is known" in page.read_text()
    assert not (tmp_path / "home").exists(), "to look must not make it"


def test_of_a_data_set_that_is_unfit_to_train_on_what_there_is_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = load_domains(names=("keywords",))["keywords"]
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path))
    rows, folder = ["path,label,split"], tmp_path / "keywords"
    folder.mkdir()
    for name, raw in (("a", tone(300)), ("b", b"RIFF"), *((str(n), b"") for n in range(3, 30))):
        (folder / f"{name}.wav").write_bytes(raw)
        rows.append(f"{name}.wav,one,train")
    (folder / "manifest.csv").write_text("\n".join(rows))
    read: list[str] = []
    hashed = dataset._digest

    def noted(path: Path) -> str:
        read.append(path.name)
        return hashed(path)

    monkeypatch.setattr(dataset, "_digest", noted)
    page = write_report(domain, None, None, tmp_path / "report")
    assert pictures(page) == ["clips.png", "balance.png"]
    text = page.read_text()
    assert "no model yet" in text
    assert "No model can be trained on the data set: the data set of keywords has no clip" in text
    assert read == ["a.wav", "b.wav", "3.wav"], "only what is shown is read"


def test_a_data_set_whose_list_is_wrong_costs_the_rest_of_the_page_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path))
    (tmp_path / "hearts").mkdir()
    (tmp_path / "hearts" / "manifest.csv").write_text("path,label\na.wav,loud\n")
    page = report("hearts", None, tmp_path / "report")
    assert "confusion.png" in pictures(page)
    assert "there is no file a.wav" in page.read_text()
