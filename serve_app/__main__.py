"""The command line: `telltale [serve | join | environment | predict CLIP... |
key NAME ROLE | backup FILE | restore FILE]`.

Ray reads its environment when it is imported, so nothing here imports it before the launcher has
set that.
"""

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path

from data.database.sole_service import sole_service
from data.database.sqlite_files import maintained_databases
from data.errors import NotReady, TelltaleError
from data.home import home_from_env, keep_to_owner, planned_home
from data.terminal import command
from serve_app import key_commands
from serve_app.cluster.launch import SERVE_YAML, refuse_taken_port, say
from serve_app.cluster.ray_environment import pod_environment, prepare_environment
from serve_app.cluster.service_processes import stop_when_asked
from serve_app.cluster.supervisor import alone_at, alone_in, supervise
from serve_app.replica.current_version import current_version
from serve_app.settings import settings_from_env

REJOIN_S = 5.0
FIRST_TRIES = 4


@command(TelltaleError)
def main() -> int:
    parser = argparse.ArgumentParser(prog="telltale", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    serving = commands.add_parser("serve", help="start everything (the default)")
    serving.add_argument("--config", type=Path, default=SERVE_YAML, help="how much of it runs")
    joining = commands.add_parser("join", help="add this machine to a running Telltale")
    joining.add_argument("address", nargs="?", default="", help="default: what the head announced")
    commands.add_parser("environment", help="what Ray must find where you start it, for a shell")
    scoring = commands.add_parser("predict", help="score local files without a server")
    scoring.add_argument("clips", nargs="+", type=Path)
    scoring.add_argument("--domain", default="", help="default: the first domain")
    key = commands.add_parser("key", help="make a key for somebody, shown once")
    key.add_argument("name")
    key.add_argument("role", choices=["viewer", "contributor", "admin"])
    for name, meaning in (
        ("backup", "keep all of TELLTALE_HOME in one file, also while it serves"),
        ("restore", "make an empty TELLTALE_HOME from such a file"),
    ):
        commands.add_parser(name, help=meaning).add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "predict":
        return predict(arguments.clips, arguments.domain)
    if arguments.command == "key":
        return key_commands.main(["add", arguments.name, arguments.role])
    if arguments.command == "backup":
        return back_up(arguments.file)
    if arguments.command == "restore":
        return restore(arguments.file)
    if arguments.command == "join":
        return stay_until_stopped(arguments.address)
    if arguments.command == "environment":
        print(pod_environment(settings_from_env()))
        return 0
    return serve_until_stopped(getattr(arguments, "config", SERVE_YAML))


def serve_until_stopped(config: Path) -> int:
    settings = settings_from_env()
    stop_when_asked()
    home = settings.home
    with alone_in(home), alone_at(settings.port), sole_service(home), maintained_databases(home):
        refuse_taken_port(settings)
        prepare_environment(settings)
        command = ["serve_app.cluster.launch", "--config", str(config)]
        code = supervise(command, home, say)
    if code == 0:
        print("Telltale has stopped.")
    return code


def stay_until_stopped(address: str) -> int:
    """The other machine's half: a node of the Telltale that runs in this TELLTALE_HOME."""
    from serve_app.cluster.join import joined, wait_while_joined
    from serve_app.cluster.ray_node import NoNode

    settings = settings_from_env()
    stop_when_asked()
    before, left = False, FIRST_TRIES
    try:
        while True:
            try:
                with joined(settings, address, say) as node:
                    before = True
                    name = node.node_id[:8]
                    print(f"\nThis machine has joined as node {name}.\n  leave  Ctrl-C", flush=True)
                    with suppress(KeyboardInterrupt):
                        wait_while_joined(node, settings.home)
                break
            except NotReady as error:
                left -= 1
                # A head that comes back by itself is joined again. On a busy machine Ray's node may
                # not be up within the 30 s that it gives itself, and be so another time.
                if not before and not (left and isinstance(error, NoNode)):
                    raise
                say(f"{error}; trying again")
                time.sleep(REJOIN_S)
    except KeyboardInterrupt:
        pass
    print("This machine has left.")
    return 0


def predict(clips: list[Path], name: str) -> int:
    """One line a file: label, or `unknown` and the nearest label; confidence; name. Exit code 1 if
    any could not be read."""
    from data.media.prepare import prepare

    settings = settings_from_env()
    served = current_version(settings.home, name or settings.domains[0])
    failed = 0
    for path in clips:
        try:
            prepared = prepare(path.read_bytes(), served.domain)
        except (TelltaleError, OSError) as error:
            print(f"{'-':20} {'':6} {path}: {error}", file=sys.stderr)
            failed += 1
            continue
        for warning in prepared.warnings:
            print(f"{path}: {warning}", file=sys.stderr)
        scores = served.model.answer([prepared])[0]
        label = served.bundle.labels[scores.best]
        label = f"unknown ({label})" if scores.unknown else label
        print(f"{label:20} {scores.confidence:6.1%} {path}")
    print(f"{served.domain.title}, version {served.version}", file=sys.stderr)
    if served.domain.disclaimer:
        print(served.domain.disclaimer, file=sys.stderr)
    return 1 if failed else 0


def back_up(file: Path) -> int:
    from serve_app.backups.backup import write_backup

    stop_when_asked()
    lost = write_backup(planned_home(), file)
    for sha256 in lost:
        print(f"left out, since its bytes are lost: clip {sha256}", file=sys.stderr)
    print(f"{file} holds all of {planned_home().root}, keys too: keep it as safe as that.")
    return 1 if lost else 0


def restore(file: Path) -> int:
    from serve_app.backups.restore import restore_backup

    stop_when_asked()
    home = home_from_env()
    print(f"{restore_backup(home, file)} clips are in {home.root}, with its models and keys.")
    return 0


if __name__ == "__main__":
    keep_to_owner()
    sys.exit(main())
