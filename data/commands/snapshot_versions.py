"""python -m data snapshot, snapshots, show, diff, restore: versions of the accepted clips."""

import argparse
import csv
import sys
from dataclasses import fields

from data.commands.existing_store import known_store
from data.domains.domain import load_domains
from data.errors import InvalidParameter
from data.store.clips.clip_rows import Clip
from data.store.events import somebody
from data.store.snapshots import Difference, difference

SHORT = 12  # letters of an id that are shown
COLUMNS = [
    name for name in (field.name for field in fields(Clip)) if name not in ("state", "reason")
]


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    taking = commands.add_parser("snapshot", help="fix the list of accepted clips as it is now")
    taking.add_argument("domain")
    taking.set_defaults(run=take)
    listing = commands.add_parser(
        "snapshots", help="the snapshots of a domain, and who learnt them"
    )
    listing.add_argument("domain")
    listing.set_defaults(run=list_all)
    showing = commands.add_parser("show", help="the clips of a snapshot, as CSV")
    showing.add_argument("snapshot", help="the first letters of its id")
    showing.set_defaults(run=show)
    comparing = commands.add_parser("diff", help="added, removed and relabelled clips")
    comparing.add_argument("before")
    comparing.add_argument("after", nargs="?", help="default: the accepted clips as they are now")
    comparing.set_defaults(run=diff)
    restoring = commands.add_parser("restore", help="labels and states of clips as they were")
    restoring.add_argument("snapshot")
    restoring.add_argument("--dry-run", action="store_true", help="say what would be done")
    restoring.set_defaults(run=restore)


def take(options: argparse.Namespace) -> int:
    load_domains(names=(options.domain,))
    taken = known_store().snapshots.take(options.domain, who=somebody())
    print(taken.id)
    print(f"{options.domain}: {len(taken.clips)} accepted clips", file=sys.stderr)
    return 0


def list_all(options: argparse.Namespace) -> int:
    load_domains(names=(options.domain,))
    for row in known_store().snapshots.find(options.domain):
        learnt = f"learnt by {', '.join(row.versions)}" if row.versions else "learnt by none"
        print(f"{row.id[:SHORT]}  {row.created_at:%Y-%m-%d %H:%M}  {row.size:6} clips  {learnt}")
    return 0


def show(options: argparse.Namespace) -> int:
    taken = known_store().snapshots.named(options.snapshot)
    table = csv.writer(sys.stdout)
    table.writerow(COLUMNS)
    table.writerows([getattr(clip, name) for name in COLUMNS] for clip in taken.clips)
    if taken.forgotten:
        print(f"{taken.forgotten} clips of it were forgotten since", file=sys.stderr)
    return 0


def diff(options: argparse.Namespace) -> int:
    snapshots = known_store().snapshots
    before = snapshots.named(options.before)
    if options.after is None:
        found = snapshots.since(before.id)
    else:
        after = snapshots.named(options.after)
        if after.domain != before.domain:
            raise InvalidParameter(
                f"{options.before} is a snapshot of {before.domain}, {options.after} one of "
                f"{after.domain}: nothing to compare"
            )
        found = difference(before.clips, after.clips)
    print("\n".join(lines(found)))
    return 0


def restore(options: argparse.Namespace) -> int:
    snapshots = known_store().snapshots
    taken = snapshots.named(options.snapshot)
    made = (
        snapshots.since(taken.id).turned_round
        if options.dry_run
        else snapshots.restore(taken.id, who=somebody())
    )
    print("\n".join(lines(made)))
    if made.removed:
        print("What was removed waits in quarantine.")
    if taken.forgotten:
        print(f"{taken.forgotten} clips were forgotten and cannot come back.")
    if options.dry_run:
        print("Nothing was changed: this was a dry run.")
    return 0


def lines(found: Difference) -> list[str]:
    """One a clip, in the way of a diff, and a last one that counts."""
    said = [f"+ {clip.sha256[:SHORT]}  {clip.label}" for clip in found.added]
    said += [f"- {clip.sha256[:SHORT]}  {clip.label}" for clip in found.removed]
    said += [
        f"~ {after.sha256[:SHORT]}  {before.label} -> {after.label}"
        for before, after in found.relabelled
    ]
    return [*said, ", ".join(f"{count} {name}" for name, count in found.counts.items())]
