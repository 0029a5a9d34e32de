"""A training that the service never hears of: in a home of its own, with nothing registered."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data.datasets.dataset import Kept, read_file
from data.datasets.sources import dataset_root
from data.domains.domain import Domain
from data.errors import InvalidParameter
from data.home import Home, home_from_env
from data.store.store import Store
from training.job.run_progress import Progress


@dataclass(frozen=True)
class IsolatedRun:
    """As much of a run as training a network takes: see `Training` in `training/job/run.py`."""

    domain: Domain
    home: Home
    progress: Progress
    workers: int

    def read(self, kept: Kept) -> bytes:
        return read_file(kept)


def isolated_run(domain: Domain, name: str, work: Path, workers: int) -> IsolatedRun:
    """`name` is the run's: given again, it goes on from the last epoch that is in `work`."""
    home = home_from_env({"TELLTALE_HOME": str(work)})
    store = Store.open(home.database_url, home.storage_uri)
    progress = Progress(store, name, domain.name, "isolated", partial(print, flush=True))
    return IsolatedRun(domain, home, progress, workers)


def needed_dataset_root() -> Path:
    """Raises InvalidParameter in words where there are no data sets."""
    root = dataset_root()
    if root is None:
        raise InvalidParameter("name the folder that holds the data sets in TELLTALE_DATASETS")
    return root
