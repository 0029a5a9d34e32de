"""Keys of others, in the database of this TELLTALE_HOME; the service may run or not.

    telltale keys                                 whose are known
    telltale keys add ann contributor --days 90   a key, shown once
    telltale keys rotate ann                      another key in its place
    telltale keys expire ann --days 7             it counts so long from now; without days for good
    telltale keys revoke ann                      it is refused within seconds

Over HTTP an admin does the same by /keys.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

from data.access_keys import LONGEST_DAYS, ROLES, Key
from data.errors import NotReady, TelltaleError
from data.home import home_from_env, keep_to_owner
from data.store.events import somebody
from data.store.keys import Keys, NewKey
from data.store.store import Store
from data.terminal import command, new_parser
from serve_app.key_file import take_over

Act = Callable[[Keys, argparse.Namespace], list[str]]


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> int:
    print("\n".join(_done(_parser().parse_args(arguments))))
    return 0


def _done(options: argparse.Namespace) -> list[str]:
    home = home_from_env()
    with closing(Store.open(home.database_url, home.storage_uri)) as store:
        if trouble := take_over(store.keys, home.root):
            raise NotReady(trouble)
        return ACTS[options.command or "list"](store.keys, options)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("telltale keys", __doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="whose are known (the default)")
    for name, meaning in (
        ("add", "make a key for somebody, shown once"),
        ("rotate", "another key in its place, shown once"),
        ("expire", "until when it counts"),
        ("revoke", "it is refused from now on"),
    ):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("name")
        if name == "add":
            command.add_argument("role", choices=ROLES)
        if name in {"add", "expire"}:
            command.add_argument("--days", type=_days, help="from now; default: until revoked")
    return parser


def _days(text: str) -> timedelta:
    with suppress(ValueError):
        days = float(text)
        if 0 < days <= LONGEST_DAYS:
            return timedelta(days=days)
    raise argparse.ArgumentTypeError(f"days are a number up to {LONGEST_DAYS}, got {text!r}")


def _end(options: argparse.Namespace) -> datetime | None:
    return None if options.days is None else datetime.now(UTC) + options.days


def _list(keys: Keys, options: argparse.Namespace) -> list[str]:
    found = [f"{key.name:<20} {key.role:<12} {_term(key)}" for key in keys.find()]
    return found or ["There are no keys but the admin's own."]


def _add(keys: Keys, options: argparse.Namespace) -> list[str]:
    return _shown(keys.add(options.name, options.role, who=somebody(), expires_at=_end(options)))


def _rotate(keys: Keys, options: argparse.Namespace) -> list[str]:
    return _shown(keys.rotate(options.name, who=somebody()))


def _expire(keys: Keys, options: argparse.Namespace) -> list[str]:
    key = keys.expire(options.name, _end(options), who=somebody())
    return [f"{key.name}'s key ({key.role}): {_term(key)}"]


def _revoke(keys: Keys, options: argparse.Namespace) -> list[str]:
    key = keys.revoke(options.name, who=somebody())
    return [f"{key.name}'s key ({key.role}) is refused from now on."]


def _shown(made: NewKey) -> list[str]:
    key = made.key
    return [made.secret, f"This is {key.name}'s key ({key.role}); it is not shown again."]


def _term(key: Key) -> str:
    if key.expires_at is None:
        return "until revoked"
    return f"{'expired' if key.has_expired else 'until'} {key.expires_at:%Y-%m-%d %H:%M} UTC"


ACTS: dict[str, Act] = {
    "list": _list,
    "add": _add,
    "rotate": _rotate,
    "expire": _expire,
    "revoke": _revoke,
}


if __name__ == "__main__":
    keep_to_owner()
    sys.exit(main())
