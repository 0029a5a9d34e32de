"""Fixtures that tests share: a real service of its own, started once a session.

Tests under `tests/cluster` talk to that service over HTTP, as everybody else does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from xdist.scheduler import LoadScopeScheduling

from data.datasets.sources import dataset_root
from data.home import home_from_env
from data.store.store import Store
from support.service import Service, started, wait_until_registered
from training.fitting import priority

# What a shell has exported is for its service; tests that need a setting make it themselves.
for name in set(os.environ) - {"TELLTALE_DATASETS"}:
    if name.startswith("TELLTALE_") or name == "MLFLOW_TRACKING_URI":
        del os.environ[name]

BESIDE = Path(__file__).parents[2] / "shared" / "datasets"  # beside the checkout, for developers
if not os.environ.get("TELLTALE_DATASETS") and BESIDE.is_dir():
    os.environ["TELLTALE_DATASETS"] = str(BESIDE)

# Commands that train give way to the rest of the machine; called in a test they would make this
# process give way to the services of the other one, to the end.
priority.NICE = 0

pytest_plugins = ["support.databases"]

CLUSTER = Path(__file__).parent / "cluster"
LONG = Path(__file__).parent / "training"
LEAVES_NO_SPARES = "test_standby.py"
OWN_SERVICE = ("test_sixth_domain.py", "test_beside.py", "test_recovery.py", "test_chaos_quick.py")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Of a clip only its name: bytes hold times of day, and workers must agree on the ids."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Markers follow from where a test lives. The cluster's tests come last, for they take longest,
    but first where another process has the others meanwhile; of them those with a service of their
    own lead: beside the session's they would only wait for each other. Of the others those that
    train lead: the last ones would keep one process waiting."""
    first = bool(config.getoption("numprocesses", None) or os.environ.get("PYTEST_XDIST_WORKER"))
    for item in items:
        if CLUSTER in item.path.parents:
            item.add_marker("cluster")
    items.sort(
        key=lambda item: (
            (CLUSTER in item.path.parents) != first,
            item.path.name not in OWN_SERVICE,
            LONG not in item.path.parents,
            item.path.name == LEAVES_NO_SPARES,
        )
    )


class OneProcessForServices(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """A file's tests share a process, for what they make is for the file; and so do all that need
    a running service, for two at once would starve each other. (pytest-xdist's own groups have no
    effect with pytest 9.2: https://github.com/pytest-dev/pytest-xdist/issues/1386.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "services" if file.startswith("tests/cluster/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneProcessForServices:
    return OneProcessForServices(config, log)


@pytest.fixture(scope="session")
def datasets() -> Path:
    root = dataset_root()
    if root is None:
        pytest.skip("needs the data sets: set TELLTALE_DATASETS to the folder that holds them")
    return root


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    with started(home, TELLTALE_DOMAINS="faults,keywords") as running:
        wait_until_registered(running)
        yield running


@pytest.fixture(scope="session")
def admin(service: Service) -> Iterator[httpx.Client]:
    with service.client(service.admin_key) as client:
        yield client


@pytest.fixture(scope="session")
def anybody(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def found_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that commands find: of a TELLTALE_HOME of its own, on a machine without data."""
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "none"))
    where = home_from_env()
    store = Store.open(where.database_url, where.storage_uri)
    yield store
    store.close()
