"""python -m data check: what is wrong with the clips of a domain, told and flagged."""

import argparse
from collections import Counter
from collections.abc import Sequence

from data.commands.existing_store import existing_store
from data.datasets.labelled_clips import of_dataset, of_store, read, together
from data.datasets.sources import dataset_root
from data.domains.domain import load_domains
from data.errors import NotReady
from data.home import planned_home
from data.progress import progress
from data.quality.checks import KINDS, Finding, check
from data.store.events import somebody
from models.exam import find_exam

SHOWN = 20  # of each kind


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    checking = commands.add_parser(
        "check", help="copies, silence, clipping, rates, wrong masks: told and flagged"
    )
    checking.add_argument("domain")
    checking.add_argument("--dry-run", action="store_true", help="tell, but put no flags")
    checking.add_argument("--all", action="store_true", help=f"not only {SHOWN} of each kind")
    checking.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 also where something was found: the data is there to be looked at, not broken."""
    domain = load_domains(names=(options.domain,))[options.domain]
    home, dataset = planned_home(), dataset_root()
    store = existing_store(home)
    clips = together(of_dataset(domain, dataset), of_store(store, domain.name) if store else [])
    if not clips:
        raise NotReady(f"there are no clips of {domain.name}: no data set, and nothing kept yet")
    exam = find_exam(domain, dataset, home).clips
    with progress("listening", len(clips)) as advance:
        found = check(clips, exam, lambda clip: read(clip, store), domain, advance)
    print("\n".join(report(found, None if options.all else SHOWN)))
    print(f"{domain.title}: {len(found)} remarks on {len(clips)} clips.")
    if store and not options.dry_run:
        said = [one.remark.flag(one.clip.sha256) for one in found]
        count = store.flags.put(domain.name, KINDS, said, who=somebody())
        print(f"{count} flags on kept clips wait in the review queue.")
    return 0


def report(found: Sequence[Finding], shown: int | None) -> list[str]:
    lines = []
    counts = Counter(one.remark.kind for one in found)
    for kind in KINDS:
        mine = [one for one in found if one.remark.kind == kind]
        lines += [f"{kind} ({counts[kind]})"] * bool(mine)
        lines += [
            f"  {one.clip.name} ({one.clip.label}): {one.remark.reason}" for one in mine[:shown]
        ]
        if shown is not None and len(mine) > shown:
            lines.append(f"  and {len(mine) - shown} more: --all")
    return lines
