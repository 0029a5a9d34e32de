"""data/sources.py: a folder of clips and its list."""

from pathlib import Path

import pytest

from data.domain import Domain, load_domains
from data.errors import InvalidParameter, UnknownName
from data.sources import LAYOUTS, dataset_root, examples

HEADER = "path,label,group,split,source\n"


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


def dataset(root: Path, lines: str) -> Path:
    folder = root / "faults"
    folder.mkdir()
    (folder / "manifest.csv").write_text(HEADER + lines, encoding="utf-8")
    return root


def test_each_line_is_one_example(domain: Domain, tmp_path: Path) -> None:
    root = dataset(tmp_path, "fluid/a.flac,fluid,tap,train,rain\nfluid/b.flac,fluid,tub,test,\n")
    first, second = examples(domain, root)
    assert first.path == tmp_path / "faults" / "fluid" / "a.flac"
    assert (first.label, first.group, first.split, first.source) == (
        "fluid",
        "tap",
        "train",
        "rain",
    )
    assert (second.split, second.source) == ("test", "")


def test_a_label_the_domain_does_not_have_is_refused_with_those_it_has(
    domain: Domain, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match="electrical, fluid, mechanical, normal"):
        examples(domain, dataset(tmp_path, "a.flac,Fluid,tap,train,\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.flac,fluid,tap,dev,\n", "line 2: split is 'dev'"),
        ("a.flac,fluid,,train,\n", "line 2: nothing in group"),
    ],
)
def test_a_bad_line_is_named(domain: Domain, tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        examples(domain, dataset(tmp_path, line))


def test_a_missing_data_set_says_where_it_is_looked_for(domain: Domain, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="manifest.csv in a folder 'faults'"):
        examples(domain, tmp_path)


def test_the_environment_names_the_folder_of_data_sets(tmp_path: Path) -> None:
    assert dataset_root({"TELLTALE_DATASETS": str(tmp_path)}) == tmp_path


@pytest.mark.parametrize("name", sorted(load_domains()))
def test_every_domain_has_a_known_layout(name: str) -> None:
    assert load_domains(names=(name,))[name].source.layout in LAYOUTS
