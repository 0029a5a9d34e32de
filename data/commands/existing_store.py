"""The store of this TELLTALE_HOME, for commands that change it and for those that only look."""

from pathlib import Path

from sqlalchemy import make_url

from data.errors import NotReady
from data.home import Home, planned_home
from data.store.store import Store


def open_store(home: Home) -> Store:
    return Store.open(home.database_url, home.storage_uri)


def existing_store(home: Home) -> Store | None:
    """The store if there is one: to look must not make it."""
    url = make_url(home.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    return open_store(home)


def known_store() -> Store:
    """Raises NotReady where nothing was ever kept."""
    home = planned_home()
    store = existing_store(home)
    if store is None:
        raise NotReady(f"nothing is kept in {home.root} yet; TELLTALE_HOME names another folder")
    return store
