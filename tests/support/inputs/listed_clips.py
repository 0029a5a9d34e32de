"""What a folder of clips and its list say, read as an import and as a training read it."""

from collections.abc import Callable
from pathlib import Path

from data.datasets.listing import read_listing
from data.datasets.sources import listed
from data.domains.domain import Domain, load_domains

Told = dict[str, tuple[str, str | None]]  # name of the file on disk: label, group
Read = Callable[[Path], Told]


def of_clips(*labels: str, layout: str = "manifest") -> Domain:
    """A domain of the data set `clips`."""
    domain = load_domains(names=("faults",))["faults"]
    source = domain.source.model_copy(update={"layout": layout, "dataset": "clips"})
    return domain.model_copy(update={"source": source, "labels": labels})


def by_import(folder: Path) -> Told:
    rows = read_listing(folder)
    return {str(row.path.relative_to(folder)): (row.label, row.group) for row in rows}


def by_training(folder: Path) -> Told:
    """As a data set with a list, or else of folders."""
    has_list = any(file.is_file() for file in folder.iterdir())
    domain = of_clips("fluid", "normal", "0", "1", layout="manifest" if has_list else "folders")
    rows = listed(domain, folder.parent)
    return {str(row.path.relative_to(folder)): (row.label, row.group) for row in rows}


READERS = [by_import, by_training]


def clips(root: Path, *names: str) -> Path:
    """`root/clips` with empty files."""
    for name in names:
        file = root / "clips" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root / "clips"
