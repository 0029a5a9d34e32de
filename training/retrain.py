"""A retrain, from people's corrections to a promoted version, on one page.

    python -m training.retrain faults --mode full      the whole network, minutes
    python -m training.retrain faults --mode teach     the head only, seconds
    python -m training.retrain faults --dry-run        what would be learnt from, nothing else

The service starts this same command as a Ray job, with the `--run` it has queued. Torch and Ray
are imported only where the whole network is trained: teaching is done before they would be.
"""

import argparse
import getpass
import os
import signal
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

from data.domain import load_domains
from data.errors import Conflict, TelltaleError
from data.home import home_from_env
from data.sources import dataset_root
from data.store import Store
from data.tables import RunState
from models.bundle import Bundle, write_bundle
from models.registry import Registry
from training.champion import find_champion
from training.evaluate import PRETRAINED, answers, paper
from training.gate import Verdict, judge
from training.lesson import make_taught
from training.plan import accepted_clips, describe, describe_teaching, exam_ids, plan_full, screen
from training.progress import Progress
from training.run import Challenger, Material, Run
from training.tracking import tracked

NICE = 10  # serving goes first
STOPPED = Event()
CANCELLED = "The run was cancelled; the champion stays."


def retrain(run: Run, mode: str, output: Path | None, may_promote: bool) -> dict[str, Any]:
    """Returns the result that the run's row, its last event and the service show."""
    domain, progress = run.domain, run.progress
    material = gather(run)
    with (
        tracked(run.registry, domain.name, progress.run_id, mode) as tracker,
        tempfile.TemporaryDirectory() as folder,
    ):
        challenger = MODES[mode](run, material, Path(folder) / domain.name)
        progress.step("gate", "Comparing with the champion on the same exam", 0.92)
        verdict = compare(challenger.bundle, material)
        progress.verdict(verdict.promoted, verdict.reasons)
        progress.step("register", "Registering the version", 0.95)
        version = tracker.register(challenger, verdict)
        promoted = verdict.promoted and may_promote
        if promoted:
            run.registry.promote(domain.name, version.number)
        tell_receipts(run, material, challenger.bundle, version.number, promoted)
        if output:
            copy_bundle(challenger.bundle, output)
        progress.end_step()
        return result(run, material, challenger, version.number, verdict, promoted)


def gather(run: Run) -> Material:
    """The list of clips is fixed first, and stays: a run started again learns from the same."""
    known = run.progress.first_snapshot()
    snapshots = run.store.snapshots
    who = run.progress.who
    snapshot = snapshots.get(known) if known else snapshots.take(run.domain.name, who=who)
    run.progress.fixed_snapshot(snapshot.id, len(snapshot.clips))
    champion = find_champion(run.domain, run.registry, run.home.bundles, run.shipped)
    run.progress.step("screen", f"Listening to {len(snapshot.clips)} accepted clips", 0.05)
    unseen = exam_ids(run.domain, run.dataset)
    uploads = screen(snapshot.clips, run.read, run.domain, unseen, champion)
    for refusal in uploads.refused:
        run.progress.say(f"       left out {refusal.sha256[:12]}: {refusal.reason}")
    return Material(snapshot.id, uploads, champion)


def tell_receipts(
    run: Run, material: Material, bundle: Bundle, number: str, promoted: bool
) -> None:
    """Whoever corrected a clip can read what the new champion says of it; a version that does
    not serve answers nobody."""
    clips = {clip.sha256 for clip in material.uploads.clips} if promoted else set()
    run.store.snapshots.mark_learnt(
        material.snapshot, number, answers(bundle, clips), who=run.progress.who
    )


def compare(challenger: Bundle, material: Material) -> Verdict:
    champion = material.champion.bundle if material.champion else None
    if champion and champion.labels != challenger.labels:
        champion = None  # another question cannot be compared with
    before = paper(champion) if champion else None
    return judge(paper(challenger), before, challenger.labels, challenger.domain.gate)


def dry_run(run: Run, mode: str) -> list[str]:
    """What a run would learn from; nothing is fixed, trained or written."""
    domain = run.domain
    champion = find_champion(domain, run.registry, run.home.bundles, run.shipped)
    accepted = accepted_clips(run.store, domain.name)
    uploads = screen(accepted, run.read, domain, exam_ids(domain, run.dataset), champion)
    if mode == "full":
        lines = describe(plan_full(domain, run.dataset, uploads), domain)
    else:
        lines = describe_teaching(uploads, domain)
    name = f"version {champion.name} ({champion.bundle.digest[:12]})" if champion else "none yet"
    return [*lines, f"champion: {name}", f"Nothing was changed: this was a dry run of {mode}."]


def result(
    run: Run, material: Material, challenger: Challenger, number: str, verdict: Verdict, done: bool
) -> dict[str, Any]:
    bundle, champion = challenger.bundle, material.champion
    exam = bundle.card.metrics.exam
    before = {"macro_f1": champion.bundle.card.metrics.exam.macro_f1} if champion else None
    outcome = "is now the champion" if done else "is registered, and the champion stays"
    took = sum(run.progress.seconds.values())
    return {
        "version": number,
        "digest": bundle.digest,
        "promoted": done,
        "reasons": list(verdict.reasons),
        "champion": before,
        "challenger": {"macro_f1": exam.macro_f1, "accuracy": exam.accuracy},
        "seconds": run.progress.seconds,
        "message": f"{run.domain.title}: version {number} {outcome} "
        f"(macro-F1 {exam.macro_f1:.3f}, {took:.1f} s).",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _stop)
    os.nice(max(0, NICE - os.nice(0)))
    try:
        run = wire(options)
        if options.dry_run:
            print("\n".join(dry_run(run, options.mode)))
            return 0
        run.progress.started(options.mode)
    except TelltaleError as error:
        print(f"The run cannot start: {error}", file=sys.stderr)
        return 1
    return attempt(run, options)


def attempt(run: Run, options: argparse.Namespace) -> int:
    """However it ends, the run's row says so, in words for people."""
    try:
        outcome = retrain(run, options.mode, options.output, not options.no_promote)
    except TelltaleError as error:
        return _end(run, "failed", f"The run failed: {error}")
    except (KeyboardInterrupt, SystemExit):
        return _end(run, "cancelled", CANCELLED)
    except Exception:
        if STOPPED.is_set():  # Ray may turn the signal's exception into one of its own
            return _end(run, "cancelled", CANCELLED)
        traceback.print_exc()
        return _end(run, "failed", "The run failed by a mistake of ours; its log says where.")
    run.progress.finished("succeeded", outcome)
    return 0


def wire(options: argparse.Namespace) -> Run:
    domain = load_domains(names=(options.domain,))[options.domain]
    if options.epochs:
        training = domain.training.model_copy(update={"epochs": options.epochs})
        domain = domain.model_copy(update={"training": training})
    home = home_from_env()
    store = Store.open(home.database_url, home.storage_uri)
    who, run_id = getpass.getuser(), options.run or uuid.uuid4().hex[:12]
    if options.run:
        who = store.runs.get(options.run).who
    elif not options.dry_run:
        store.runs.start(
            run_id, domain=domain.name, mode=options.mode, reason=options.reason, who=who
        )
    progress = Progress(store, run_id, domain.name, who, partial(print, flush=True))
    registry = Registry(home.tracking_uri, home.artifact_root)
    return Run(domain, home, store, registry, progress, dataset_root(), PRETRAINED, options.workers)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.retrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domain")
    parser.add_argument("--mode", choices=sorted(MODES), default="full")
    parser.add_argument(
        "--workers", type=int, default=1, help="training processes; 0: in this one, without Ray"
    )
    parser.add_argument("--epochs", type=int, help="other than the domain's")
    parser.add_argument("--run", help="id of a queued run; without it, one is made")
    parser.add_argument("--reason", default="started by hand")
    parser.add_argument("--output", type=Path, help="put a copy of the bundle into this folder")
    parser.add_argument("--dry-run", action="store_true", help="say what would be learnt from")
    parser.add_argument(
        "--no-promote", action="store_true", help="register, whatever the gate says"
    )
    return parser.parse_args(arguments)


def copy_bundle(bundle: Bundle, folder: Path) -> None:
    write_bundle(
        folder,
        card_fields=bundle.card.model_dump(exclude={"format", "files"}),
        files={name: bundle.read(name) for name in bundle.card.files},
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """The service stops a job by SIGTERM, as everybody does."""
    STOPPED.set()
    raise SystemExit


def _end(run: Run, state: RunState, message: str) -> int:
    with suppress(Conflict):  # the service may have closed a cancelled run already
        run.progress.finished(state, {"message": message})
    return 1


def _make_full(run: Run, material: Material, folder: Path) -> Challenger:
    from training.full import make_full

    return make_full(run, material, folder)


MODES: dict[str, Callable[[Run, Material, Path], Challenger]] = {
    "full": _make_full,
    "teach": make_taught,
}

if __name__ == "__main__":
    sys.exit(main())
