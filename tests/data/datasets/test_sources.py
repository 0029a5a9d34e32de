"""sources.py: a folder of clips and its list."""

from pathlib import Path

import pytest

from data.datasets.dataset import from_example, pinned_groups
from data.datasets.sources import LAYOUTS, dataset_root, examples, fine_label
from data.datasets.split import held_out
from data.domains.domain import Domain, checked, load_domains
from data.errors import InvalidParameter
from support.inputs.listed_clips import clips, of_clips

HEADER = "path,label,group,split,source\n"


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


FILLER = """a.flac,electrical,e,train,
a.flac,mechanical,m,train,
a.flac,normal,n,train,
a.flac,fluid,f,train,
a.flac,fluid,t,test,
"""


def dataset(root: Path, lines: str, rest: str = FILLER) -> Path:
    folder = root / "faults"
    (folder / "fluid").mkdir(parents=True)
    for name in ("a.flac", "fluid/a.flac", "fluid/b.flac"):
        (folder / name).touch()
    (folder / "manifest.csv").write_text(HEADER + lines + rest, encoding="utf-8")
    return root


def test_each_line_is_one_example(domain: Domain, tmp_path: Path) -> None:
    root = dataset(tmp_path, "fluid/a.flac,fluid,tap,train,rain\nfluid/b.flac,fluid,tub,test,\n")
    first, second = examples(domain, root)[:2]
    assert first.path == tmp_path / "faults" / "fluid" / "a.flac"
    assert (first.label, first.group, first.split, first.source) == (
        "fluid",
        "tap",
        "train",
        "rain",
    )
    assert (second.split, second.source) == ("test", "")


def test_what_the_domain_file_leaves_out_is_in_no_split(domain: Domain, tmp_path: Path) -> None:
    root = dataset(tmp_path, "fluid/a.flac,fluid,tap,train,\nfluid/b.flac,fluid,tub,test,\n")
    row = {"path": "fluid/b.flac", "reason": "somebody speaks over it"}
    source = {**domain.source.model_dump(), "left_out": [row]}
    without = checked({**domain.model_dump(), "source": source}, "faults.yaml")
    names = [row.path.name for row in examples(without, root)]
    assert names == [row.path.name for row in examples(domain, root) if row.group != "tub"]


def test_a_clip_without_a_group_is_one_by_itself(domain: Domain, tmp_path: Path) -> None:
    root = dataset(tmp_path, "fluid/a.flac,fluid,,train,\nfluid/b.flac,fluid,,test,\n")
    assert [row.group for row in examples(domain, root)[:2]] == ["fluid/a", "fluid/b"]


def test_a_list_without_splits_is_tested_on_a_share_of_each_label(tmp_path: Path) -> None:
    domain = of_clips("fluid", "normal")
    folder = clips(tmp_path, *(f"{take}.wav" for take in range(40)))
    rows = [f"{take}.wav,{('fluid', 'normal')[take % 2]}" for take in range(40)]
    (folder / "manifest.csv").write_text("\n".join(("path,label", *rows)))
    found = examples(domain, tmp_path)
    for label in domain.labels:
        sides = [row.split for row in found if row.label == label]
        assert (sides.count("test"), sides.count("train")) == (4, 16)


def test_a_list_may_say_what_is_held_out_for_validation(tmp_path: Path) -> None:
    domain = of_clips("fluid", "normal", layout="folders")
    splits = {"train": 9, "val": 2, "test": 2}
    names = [
        f"{split}/{label}/{take}.wav"
        for split, count in splits.items()
        for label in domain.labels
        for take in range(count)
    ]
    for name in names:
        (clips(tmp_path, name) / name).write_text(name)
    train = [row for row in examples(domain, tmp_path) if row.split == "train"]
    learnt = [from_example(row) for row in train]
    held = held_out(learnt, domain.training, pinned_groups(learnt))
    sides = {row.path.parts[-3] for row, is_held in zip(train, held, strict=True) if is_held}
    assert sides == {"val"}
    assert held.sum() == 4


def test_a_label_the_domain_does_not_have_is_refused_with_those_it_has(
    domain: Domain, tmp_path: Path
) -> None:
    words = "line 2: .*'Fluid'.*electrical, fluid, mechanical, normal"
    with pytest.raises(InvalidParameter, match=words):
        examples(domain, dataset(tmp_path, "a.flac,Fluid,tap,train,\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.flac,fluid,tap,dev,\n", "line 2: split is 'dev'"),
        ("gone/a.flac,fluid,tap,train,\n", "line 2: there is no file gone/a.flac"),
        ("a.flac,fluid,t,train,\n", "group 't' .* is in both train and test"),
    ],
)
def test_a_bad_line_is_named(domain: Domain, tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        examples(domain, dataset(tmp_path, line))


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("a.flac,fluid,f,train,\n", "no clip of the test split"),
        ("a.flac,fluid,f,test,\n", "no clip of the train split"),
        (FILLER.replace("normal", "fluid"), "no training clip of normal"),
    ],
)
def test_a_data_set_nothing_can_be_learnt_from_is_refused(
    domain: Domain, tmp_path: Path, rest: str, message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        examples(domain, dataset(tmp_path, "", rest))


@pytest.mark.parametrize("name", sorted(load_domains()))
def test_the_data_set_of_every_domain_can_be_trained_on(name: str, datasets: Path) -> None:
    assert examples(load_domains(names=(name,))[name], datasets)


def test_a_photograph_is_labelled_by_whether_it_has_a_mask(tmp_path: Path) -> None:
    domain = load_domains(names=("cracks",))["cracks"]
    folder = tmp_path / "cracks"
    folder.mkdir()
    for name in ("a.jpg", "a.png", "b.jpg"):
        (folder / name).touch()
    lines = ["path,mask,group,split,source", "a.jpg,a.png,a,train,", "b.jpg,,b,test,"]
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    cracked, bare = examples(domain, tmp_path)
    assert (cracked.label, cracked.mask) == ("crack", folder / "a.png")
    assert (bare.label, bare.mask) == ("no crack", None)
    (folder / "a.png").unlink()
    with pytest.raises(InvalidParameter, match=r"line 2: there is no file a\.png"):
        examples(domain, tmp_path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.jpg,crack,,a,train", "line 2: label is 'crack', but there is no mask"),
        ("a.jpg,hole,a.png,a,train", "line 2: cracks has no label 'hole'"),
        (r"a.jpg,,..\b.png,a,train", "line 2: mask .* leads out of the list's folder"),
    ],
)
def test_a_mask_that_no_import_would_take_is_refused(tmp_path: Path, row: str, words: str) -> None:
    for name in ("cracks/a.jpg", "cracks/a.png", "b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "cracks" / "manifest.csv").write_text(f"path,label,mask,group,split\n{row}\n")
    with pytest.raises(InvalidParameter, match=words):
        examples(load_domains(names=("cracks",))["cracks"], tmp_path)


@pytest.fixture
def folders(domain: Domain) -> Domain:
    source = domain.source.model_copy(update={"layout": "folders"})
    return domain.model_copy(update={"source": source})


def labelled(root: Path, names: list[str]) -> Path:
    for name in names:
        file = root / "faults" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def test_folders_named_by_label_need_no_list(folders: Domain, tmp_path: Path) -> None:
    names = [f"{label}/{take}.wav" for label in folders.labels for take in range(20)]
    found = examples(folders, labelled(tmp_path, [*names, "fluid/.DS_Store", "LICENCE.txt"]))
    assert len(found) == 80
    for label in folders.labels:
        sides = [row.split for row in found if row.label == label]
        assert (sides.count("test"), sides.count("train")) == (4, 16)


def test_new_files_hardly_change_which_are_tested(folders: Domain, tmp_path: Path) -> None:
    names = [f"{label}/{take}.wav" for label in folders.labels for take in range(50)]
    before = {
        row.path for row in examples(folders, labelled(tmp_path, names)) if row.split == "test"
    }
    after = examples(folders, labelled(tmp_path, ["fluid/new 1.wav", "normal/new 2.wav"]))
    assert len(before - {row.path for row in after if row.split == "test"}) <= 2


def test_a_folder_below_the_labels_is_on_one_side_of_the_split(
    folders: Domain, tmp_path: Path
) -> None:
    names = [
        f"{label}/pump {pump}/{take}.wav"
        for label in folders.labels
        for pump in range(6)
        for take in range(3)
    ]
    found = examples(folders, labelled(tmp_path, names))
    sides = {
        row.group: {other.split for other in found if other.group == row.group} for row in found
    }
    assert set(sides) == {f"pump {number}" for number in range(6)}
    assert all(len(both) == 1 for both in sides.values())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "a folder 'faults' .* one for each label: electrical, fluid, mechanical, normal"),
        (["Fluid/a.wav"], "folder 'Fluid' .* no label of faults; its labels are electrical"),
        (["notes.txt"], "faults has no clips in folders named by label"),
        (["fluid/a.wav", "normal/b.wav"], "nothing can be held out for validation or the exam"),
    ],
)
def test_folders_nothing_can_be_learnt_from_are_refused(
    folders: Domain, tmp_path: Path, names: list[str], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        examples(folders, labelled(tmp_path, names))


def test_a_missing_data_set_says_where_it_is_looked_for(domain: Domain, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="manifest.csv in a folder 'faults'"):
        examples(domain, tmp_path)


def test_the_environment_names_the_folder_of_data_sets(tmp_path: Path) -> None:
    assert dataset_root({"TELLTALE_DATASETS": str(tmp_path)}) == tmp_path


def test_without_it_data_sets_lie_in_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.datasets.sources.own_folder", lambda name: tmp_path / name)
    assert dataset_root({}) is None
    (tmp_path / "datasets").mkdir()
    assert dataset_root({}) == tmp_path / "datasets"


@pytest.mark.parametrize("name", sorted(load_domains()))
def test_every_domain_has_a_known_layout(name: str) -> None:
    assert load_domains(names=(name,))[name].source.layout in LAYOUTS


def test_what_is_heard_is_finer_than_the_label_and_no_fold() -> None:
    assert fine_label("UrbanSound8K:car_horn:fold1", "vehicle") == "car_horn"
    assert fine_label("ESC-50:wind", "background") == "wind"
    assert fine_label("FSDD", "seven") == "seven"
