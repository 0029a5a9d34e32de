"""Asks a running service and tells it what to do, by its API.

    telltale status
    telltale promote faults 3
    telltale rollback faults

Without --url it is the service of this machine and TELLTALE_HOME, spoken to as its admin. Another
one is given the key in TELLTALE_KEY and no other: the admin's is for its own service.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from data.home import planned_home
from data.terminal import command, new_parser
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.service_answers import DomainStatus, Move


@command(ServiceError)
def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    with client_of(options.url) as client:
        print("\n".join(_asked(client, options)))


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("telltale", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", help="champions, replicas, clips")
    promote = commands.add_parser("promote", help="make a version the champion")
    promote.add_argument("domain")
    promote.add_argument("version")
    rollback = commands.add_parser("rollback", help="go back to the champion before")
    rollback.add_argument("domain")
    for each in (status, promote, rollback):
        each.add_argument("--url", help="default: the service of this machine")
    return parser


def client_of(url: str | None) -> Client:
    key = os.environ.get("TELLTALE_KEY", "")
    if url:
        return Client(url, key)
    kept = planned_home().root / "admin-key"
    own = os.environ.get("TELLTALE_ADMIN_KEY") or (
        kept.read_text("utf-8") if kept.is_file() else ""
    )
    return Client(f"http://127.0.0.1:{os.environ.get('TELLTALE_PORT', '8000')}", key or own)


def _asked(client: Client, options: argparse.Namespace) -> list[str]:
    if options.command == "promote":
        return _moved(client.promote(options.domain, options.version))
    if options.command == "rollback":
        return _moved(client.roll_back(options.domain))
    found = client.status()
    lines = [_told(name, row) for name, row in found.domains.items()]
    if found.curator != "ok":
        lines.append(f"curator: {found.curator}")
    return [*lines, *(f"warning: {warning}" for warning in found.warnings)]


def _told(name: str, row: DomainStatus) -> str:
    champion = f"version {row.champion.version}" if row.champion else "no model yet"
    pinned = " (pinned)" if row.pinned else ""
    agree = "" if row.agree else ", which do not serve the same version"
    clips = ", ".join(f"{count} {state}" for state, count in row.clips.items() if count)
    runs = "".join(f"; {run.mode} {run.state}" for run in row.running)
    replicas = f"replicas: {len(row.replicas)}{agree}"
    return f"{name:<12} {champion}{pinned}; {replicas}; clips: {clips or 'none'}{runs}"


def _moved(move: Move) -> list[str]:
    agree = "all serve it" if move.agree else "not all serve it yet"
    told = (
        f"{move.domain}: version {move.version} is the champion; replicas: {move.replicas}, {agree}"
    )
    return [told, *([f"warning: {move.warning}"] if move.warning else [])]


if __name__ == "__main__":
    sys.exit(main())
