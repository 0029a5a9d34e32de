"""python -m data import: as a person uses it, on a real store."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.__main__ import main
from data.domains.domain import Domain, load_domains
from data.home import home_from_env
from data.store.store import Store
from models.exam import find_exam
from support.inputs.sounds import tone
from support.inputs.toy_dataset import toy_dataset
from support.tiny import tiny_bundle, tiny_clips


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "none"))
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    where = home_from_env()
    store = Store.open(where.database_url, where.storage_uri)
    yield store
    store.close()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips of two labels, and one file that is no sound."""
    for name, hz in (("fluid/a.wav", 300), ("normal/b.wav", 900)):
        (tmp_path / "clips" / name).parent.mkdir(parents=True)
        (tmp_path / "clips" / name).write_bytes(tone(hz))
    (tmp_path / "clips" / "fluid" / "notes.txt").write_text("not a sound")
    return tmp_path / "clips"


def imported(listing: Path, *options: str) -> int:
    return main(["import", str(listing), "--domain", "faults", *options])


def test_good_files_are_stored_and_bad_ones_refused_alone(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(clips) == 1
    said = capsys.readouterr().out
    assert "2 accepted, 0 known already, 1 refused, of 3 files" in said
    assert "the clip is text" in said
    assert "fluid/notes.txt" in said
    kept = {clip.label: clip for clip in store.clips.find("faults")}
    assert set(kept) == {"fluid", "normal"}
    assert kept["fluid"].state == "accepted"
    assert store.clips.read(kept["fluid"].sha256) == (clips / "fluid" / "a.wav").read_bytes()


def test_an_import_may_be_run_again(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "fluid" / "notes.txt").unlink()
    assert imported(clips) == imported(clips) == 0
    assert "0 accepted, 2 known already, 0 refused" in capsys.readouterr().out
    assert len(store.clips.find("faults")) == 2


def test_a_dry_run_says_the_same_and_leaves_no_trace(
    clips: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(clips, "--dry-run") == 1
    assert not home.exists()
    imported(clips)
    imported(clips, "--dry-run")
    first, real, again = capsys.readouterr().out.split("Machine faults: ")[1:]
    assert first.splitlines()[0] == real.splitlines()[0]
    assert "Nothing was stored" in first
    assert again.startswith("0 accepted, 2 known already, 1 refused")


def test_an_unknown_label_is_told_the_labels_there_are(
    clips: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "normal").rename(clips / "pump")
    assert imported(clips) == 1
    said = capsys.readouterr().out
    assert "no label 'pump'; its labels are electrical, fluid, mechanical, normal" in said
    assert "1 accepted, 0 known already, 2 refused" in said


def test_the_same_bytes_under_two_labels_are_not_believed_twice(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "normal" / "copy.wav").write_bytes((clips / "fluid" / "a.wav").read_bytes())
    assert imported(clips) == 1
    assert "the same bytes as fluid/a.wav, which is labelled 'fluid'" in capsys.readouterr().out
    assert len(store.clips.find("faults")) == 2


def test_a_label_that_contradicts_the_store_is_refused_in_a_dry_run_too(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(clips)
    (clips / "fluid").rename(clips / "mechanical")
    for option in (["--dry-run"], []):
        assert imported(clips, *option) == 1
        assert "already known as 'fluid'" in capsys.readouterr().out
    assert {clip.label for clip in store.clips.find("faults")} == {"fluid", "normal"}


def test_a_file_that_is_not_there_fails_alone(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "list.csv").write_text("path,label\nfluid/a.wav,fluid\nnormal/gone.wav,normal\n")
    assert imported(clips / "list.csv") == 1
    said = capsys.readouterr().out
    assert "1 accepted, 0 known already, 1 refused" in said
    assert "the file cannot be read: No such file or directory" in said


def test_clips_and_groups_of_the_exam_are_refused(
    tmp_path: Path,
    domain: Domain,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path / "sets", domain)))
    exam = tmp_path / "sets" / domain.source.dataset / "fluid_8.wav"
    (tmp_path / "other.wav").write_bytes(tone(500))
    (tmp_path / "list.csv").write_text(
        f"path,label,group\n{exam},fluid,\nother.wav,fluid,fluid:8\n"
    )
    assert imported(tmp_path / "list.csv") == 1
    said = capsys.readouterr().out
    assert "it is a clip of the exam" in said
    assert "clips of its group 'fluid:8' are in the exam" in said
    assert not store.clips.find("faults")


def test_the_exam_of_a_bundle_is_known_without_the_data_set(home: Path, domain: Domain) -> None:
    where = home_from_env()
    tiny_bundle(where.bundles / "one", domain)
    tiny_bundle(where.bundles / "two", load_domains(names=("keywords",))["keywords"])
    known = find_exam(domain, None, where).clips
    assert set(tiny_clips(domain, "exam").clip_ids) <= known
    assert not known & set(tiny_clips(load_domains()["keywords"], "exam").clip_ids)


def test_what_a_list_calls_test_is_left_out_with_its_group(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate("abc"):
        (tmp_path / f"{name}.wav").write_bytes(tone(300, seed=seed))
    rows = ("path,label,group,split", "a.wav,fluid,p1,train", "b.wav,fluid,p2,test")
    (tmp_path / "list.csv").write_text("\n".join((*rows, "c.wav,fluid,p2,train")))
    assert imported(tmp_path / "list.csv") == 1
    assert "1 accepted, 0 known already, 1 left out, 1 refused" in capsys.readouterr().out
    assert [clip.group for clip in store.clips.find("faults")] == ["p1"]


def test_a_share_of_the_groups_is_held_out(tmp_path: Path, store: Store) -> None:
    rows = ["path,label,machine"]
    for place in range(20):
        (tmp_path / f"{place}.wav").write_bytes(tone(300, 0.2, seed=place))
        rows.append(f"{place}.wav,{('fluid', 'normal')[place % 2]},pump {place // 4}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    options = ["--validation-split", "0.2", "--group-column", "machine"]
    assert imported(tmp_path / "list.csv", *options) == 0
    found = store.clips.find("faults")
    assert sum(clip.split == "validation" for clip in found) == 4
    sides = {(clip.group, clip.split) for clip in found}
    assert len(sides) == len({group for group, _ in sides})


def test_folders_named_in_latin_1_are_imported_as_a_dry_run_says(
    clips: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "fluid" / os.fsdecode(b"L\xfcfter")).mkdir()
    (clips / "fluid" / "a.wav").rename(clips / "fluid" / os.fsdecode(b"L\xfcfter") / "a.wav")
    (clips / "fluid" / "notes.txt").rename(clips / "fluid" / os.fsdecode(b"gr\xfcn.txt"))
    (clips / "normal").rename(clips / os.fsdecode(b"l\xe4uft"))
    for options in (["--dry-run"], []):
        assert imported(clips, *options) == 1
        said = capsys.readouterr().out
        assert "1 accepted, 0 known already, 2 refused" in said
        assert "no label 'läuft'" in said
        assert "fluid/grün.txt" in said
    assert [clip.group for clip in store.clips.find("faults")] == ["Lüfter"]


def test_digests_name_the_clips_as_everywhere(clips: Path, store: Store) -> None:
    imported(clips)
    digest = hashlib.sha256((clips / "fluid" / "a.wav").read_bytes()).hexdigest()
    (event,) = store.events.find(subject=f"clip:{digest}")
    assert (event.kind, event.detail["source"]) == ("clip.added", "import")
