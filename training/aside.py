"""A training that the service never hears of: in a home of its own, with nothing registered."""

from functools import partial
from pathlib import Path

from data.domain import Domain
from data.errors import InvalidParameter
from data.home import home_from_env
from data.sources import dataset_root
from data.store import Store
from models.bundle import PRETRAINED
from models.registry import Registry
from training.progress import Progress
from training.run import Run


def aside(domain: Domain, name: str, work: Path, workers: int) -> Run:
    """`name` is the run's: given again, it goes on from the last epoch that is in `work`."""
    home = home_from_env({"TELLTALE_HOME": str(work)})
    store = Store.open(home.database_url, home.storage_uri)
    progress = Progress(store, name, domain.name, "aside", partial(print, flush=True))
    registry = Registry(home.tracking_uri, home.artifact_root)
    return Run(domain, home, store, registry, progress, dataset_root(), PRETRAINED, workers)


def needed_dataset_root() -> Path:
    """Raises InvalidParameter in words where there are no data sets."""
    root = dataset_root()
    if root is None:
        raise InvalidParameter("name the folder that holds the data sets in TELLTALE_DATASETS")
    return root
