"""python -m data import: labelled clips from disk into the store."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data.commands.existing_store import existing_store, open_store
from data.datasets.cut_clips import cut_clips
from data.datasets.importer import (
    ImportOutcome,
    dry_run_in,
    import_clips,
    store_in,
    with_validation,
)
from data.datasets.listing import Listed, read_listing
from data.datasets.selection_tables import read_selections
from data.datasets.sources import dataset_root
from data.domains.domain import Domain, load_domains, of_sounds
from data.home import home_from_env, planned_home
from data.progress import progress
from data.store.events import somebody
from models.exam import find_exam

NAMES_SHOWN = 3  # of files that were refused for the same reason
REASONS_SHOWN = 10


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    adding = commands.add_parser("import", help="labelled clips into the store")
    adding.add_argument(
        "listing", type=Path, help="a folder of clips, a CSV or JSON, or a recording"
    )
    adding.add_argument("--domain", required=True, metavar="NAME")
    adding.add_argument("--dry-run", action="store_true", help="say what would be done")
    adding.add_argument(
        "--validation-split", type=fraction, metavar="0.2", help="hold out a share of the groups"
    )
    adding.add_argument(
        "--group-column", metavar="NAME", default="group", help="of the list; default: group"
    )
    adding.add_argument(
        "--labels", type=Path, help="of one recording: Audacity's labels or a Raven selection table"
    )
    adding.set_defaults(run=add)


def fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, got {text}")
    return value


def add(options: argparse.Namespace) -> int:
    domain = load_domains(names=(options.domain,))[options.domain]
    if not options.labels:
        return add_listed(read_listing(options.listing, options.group_column), domain, options)
    selections = read_selections(options.labels)
    with cut_clips(options.listing, selections, of_sounds(domain)) as listed:
        return add_listed(listed, domain, options)


def add_listed(listed: Sequence[Listed], domain: Domain, options: argparse.Namespace) -> int:
    if options.validation_split:
        listed = with_validation(listed, domain, options.validation_split)
    home = planned_home() if options.dry_run else home_from_env()
    store = existing_store(home) if options.dry_run else open_store(home)
    keep = dry_run_in(store, somebody())
    if store and not options.dry_run:
        keep = store_in(store, somebody())
    exam = find_exam(domain, dataset_root(), home)
    outcomes = []
    with progress("importing", len(listed)) as advance:
        for outcome in import_clips(listed, domain, exam, keep):
            outcomes.append(outcome)
            advance(1)
    print("\n".join(summary(outcomes, domain)))
    if options.dry_run:
        print("Nothing was stored: this was a dry run.")
    return int(any(outcome.done == "refused" for outcome in outcomes))


def summary(outcomes: Sequence[ImportOutcome], domain: Domain) -> list[str]:
    counts = Counter(outcome.done for outcome in outcomes)
    labels = Counter(outcome.label for outcome in outcomes if outcome.done == "accepted")
    lines = [f"  {label:20} {labels[label]:6}" for label in domain.labels if labels[label]]
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.done in ("left out", "refused"):
            reasons.setdefault(f"{outcome.done}: {outcome.reason}", []).append(outcome.name)
    for reason, names in list(reasons.items())[:REASONS_SHOWN]:
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        lines.append(f"  {reason}\n      {', '.join(names[:NAMES_SHOWN])}{more}")
    if len(reasons) > REASONS_SHOWN:
        lines.append(f"  and {len(reasons) - REASONS_SHOWN} more reasons")
    said = [f"{counts['accepted']} accepted", f"{counts['duplicate']} known already"]
    said += [f"{counts['left out']} left out"] * bool(counts["left out"])
    said += [f"{counts['refused']} refused"]
    return [*lines, f"{domain.title}: {', '.join(said)}, of {len(outcomes)} files."]
