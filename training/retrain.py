"""A retrain, from people's corrections to a promoted version, on one page.

    telltale retrain faults --mode full      the whole network, minutes
    telltale retrain faults --mode teach     the head only, seconds
    telltale retrain faults --dry-run        what would be learnt from, nothing else

The service starts this same command as a Ray job, with the `--run` it has queued. Torch and Ray
are imported only where the whole network is trained: teaching is done before they would be.
"""

import argparse
import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from data.datasets.sources import dataset_root
from data.domains.domain import Domain, Mode, load_domains
from data.domains.run_options import RunOptions
from data.errors import TelltaleError
from data.home import Home, home_from_env, keep_to_owner
from data.store.events import somebody
from data.store.store import Store
from data.terminal import command
from models.bundle import PRETRAINED, Bundle, rewrite_bundle
from models.registry.registry import Registry, Version
from models.runtime import known_by
from training.assess.approval import TaughtHead, approve, of_dataset
from training.assess.background import OF_A_TEACH, asserts_more
from training.assess.bank_facts import without_sets
from training.assess.confidence_gate import confidence_objections
from training.assess.examine import exam_predictions, remembered_answers
from training.assess.gate import Verdict, judge, must_forget, with_objections
from training.fitting.priority import lower_priority, lower_session_priority
from training.job.inputs import dry_run, gather, is_known_already, serving
from training.job.lifecycle import attempt, defer_sigterm, exit_on_sigterm, sweep
from training.job.options import parse
from training.job.run import Challenger, Material, RetrainRun
from training.job.run_progress import Progress, beating
from training.job.tracking import Tracker, tracked
from training.screening.serving_champion import ChampionBundle
from training.teaching.corrections import corrections_of, new_rows
from training.teaching.fresh_evidence import read_evidence
from training.teaching.harmful_corrections import harmful_corrections, quarantine_harmful
from training.teaching.head import full_clips
from training.teaching.teach import make_taught

MOST_ATTEMPTS = 4  # of a teach, each less some corrections


@dataclass(frozen=True)
class Admitted:
    """A challenger with its number and verdict, and what it was made of and compared with."""

    challenger: Challenger
    version: Version
    verdict: Verdict
    material: Material


def retrain(run: RetrainRun, mode: Mode, output: Path | None, may_promote: bool) -> dict[str, Any]:
    """Returns the result that the run's row, its last event and the service show."""
    domain, progress = run.domain, run.progress
    material = gather(run, mode)
    if mode == "teach" and material.champion and is_known_already(material, material.champion):
        return nothing_new(run, material, material.champion)
    with (
        tracked(run.registry, domain.name, progress.run_id, mode, progress.who) as tracker,
        tempfile.TemporaryDirectory() as folder,
    ):
        challenger = MODES[mode](run, material, Path(folder) / domain.name)
        made, held = admit(run, material, challenger, tracker), set[str]()
        if mode == "teach" and may_promote:
            made, held = without_harm(run, made, tracker, Path(folder))
        if output:
            rewrite_bundle(made.challenger.bundle, output)
        tracker.record(made.challenger)
        promoted = made.verdict.promoted and may_promote
        progress.end_step()
        outcome = result(run, made, promoted, held)
        if promoted:
            run.store.runs.promoting(progress.run_id, outcome)
            run.registry.promote(domain.name, made.version.number)
        update_receipts(run, made, promoted)
        return outcome


def without_harm(
    run: RetrainRun, made: Admitted, tracker: Tracker, folder: Path
) -> tuple[Admitted, set[str]]:
    """After a refusal the same teach less the corrections that do harm, which wait from then on:
    their digests. What another champion is compared with, it is taught on first."""
    held: set[str] = set()
    for number in range(1, MOST_ATTEMPTS + 1):
        material, overtaken = made.material, is_overtaken(made)
        if overtaken:
            material = gather(run, "teach")
        elif made.verdict.promoted:
            break
        else:
            by_clips = made.verdict.by_clips
            harmful = harmful_corrections(run, material, made.challenger, by_clips, number)
            if not harmful:
                break
            quarantine_harmful(run, harmful)
            held |= {each.sha256 for each in harmful}
            material = replace(material, uploads=material.uploads.without(harmful))
        if material.champion and is_known_already(material, material.champion):
            refused = Verdict(False, made.verdict.reasons)
            return replace(made, material=material, verdict=refused), held
        update_receipts(run, made, promoted=False)
        challenger = make_taught(run, material, folder / f"{run.domain.name}-{number}")
        made = admit(run, material, challenger, tracker)
    if is_overtaken(made):
        reasons = (*made.verdict.reasons, "another version became champion again and again")
        made = replace(made, verdict=Verdict(False, reasons))
    return made, held


def is_overtaken(made: Admitted) -> bool:
    """Another became champion since it was taught: what that one learnt would be lost."""
    champion = made.material.champion
    return champion is None or not is_taught_from(champion.bundle, made.challenger.bundle)


def nothing_new(run: RetrainRun, material: Material, champion: ChampionBundle) -> dict[str, Any]:
    """Nothing is registered; receipts that waited learn what the champion says already."""
    mark_learnt(run, material, champion.bundle, champion.name, promoted=True)
    run.progress.end_step()
    message = f"{run.domain.title}: there is nothing new to learn; the champion stays."
    return {"reasons": ["there is nothing new to learn"], "message": message}


def admit(
    run: RetrainRun, material: Material, challenger: Challenger, tracker: Tracker
) -> Admitted:
    """Compares and registers; again if there is another champion by then than was compared with."""
    while True:
        run.progress.step("gate", "Comparing with the champion on the same exam", 0.92)
        verdict = compare(challenger.bundle, material, run.dataset)
        told = advisory_reasons(run, challenger)
        verdict = replace(verdict, reasons=(*verdict.reasons, *told))
        run.progress.verdict(verdict.promoted, verdict.reasons)
        run.progress.step("register", "Registering the version", 0.95)
        version = tracker.register(challenger.bundle, verdict)
        champion = serving(run)
        if _digest(champion) == material.parent:
            return Admitted(challenger, version, verdict, material)
        material = replace(material, champion=champion)


def advisory_reasons(run: RetrainRun, challenger: Challenger) -> tuple[str, ...]:
    """What a verdict tells beside its reasons: how often the exam was used, fresh evidence, what a
    full training went without."""
    versions = run.registry.versions(run.domain.name)
    # By number: those that were deleted since have used the exam, too.
    judged = 1 + max((int(each.number) for each in versions), default=0)
    full = [int(each.number) for each in versions if each.tags.get("mode") == "full"]
    since = judged - max(full, default=0)
    card = challenger.bundle.card
    evidence = read_evidence(card.training.model_dump())
    worn = f"the exam has judged {judged} versions, {since} of them since a full training"
    fresh = (evidence.sentence,) if evidence.clips else ()
    return (worn, *fresh, *without_sets(card))


def _digest(champion: ChampionBundle | None) -> str | None:
    return champion.bundle.digest if champion else None


def update_receipts(run: RetrainRun, made: Admitted, promoted: bool) -> None:
    mark_learnt(run, made.material, made.challenger.bundle, made.version.number, promoted)


def mark_learnt(
    run: RetrainRun, material: Material, bundle: Bundle, number: str, promoted: bool
) -> None:
    """Whoever corrected a clip can read what the new champion says of it; a version that does
    not serve answers nobody."""
    clips = {clip.sha256 for clip in material.uploads.clips} if promoted else set()
    run.store.snapshots.mark_learnt(
        material.snapshot,
        number,
        remembered_answers(bundle, clips),
        who=run.progress.who,
        left_out=[refusal.sha256 for refusal in material.uploads.refused],
        serves=promoted,
    )


def compare(challenger: Bundle, material: Material, datasets: Path | None) -> Verdict:
    champion = material.champion.bundle if material.champion else None
    only_forgets = bool(material.forgotten) and is_taught_from(champion, challenger)
    if champion and champion.labels != challenger.labels:
        champion = None  # another question cannot be compared with
    before = exam_predictions(champion) if champion else None
    if champion and is_taught_from(champion, challenger):
        verdict = approve(taught_head(challenger, material))
    else:
        asked, gate = exam_predictions(challenger), challenger.domain.gate
        verdict = judge(asked, before, challenger.labels, gate)
        if challenger.card.mode == "full":
            worse = confidence_objections(challenger, champion, datasets)
            verdict = with_objections(verdict, worse)
    allowed = OF_A_TEACH if challenger.card.mode == "teach" else 0
    verdict = with_objections(verdict, asserts_more(challenger, champion, allowed))
    return must_forget(verdict, len(material.forgotten)) if only_forgets else verdict


def taught_head(challenger: Bundle, material: Material) -> TaughtHead:
    assert material.champion is not None
    head = challenger.head()
    corrections = corrections_of(material.uploads, head.weight.shape[1])
    remembered, spec = of_dataset(challenger), challenger.domain.teach
    counts = full_clips(corrections, len(remembered.labels), spec)
    new = new_rows(material.uploads, material.champion)
    return TaughtHead(
        head,
        material.champion.bundle.head(),
        challenger.anchor(),
        remembered,
        challenger.exam(),
        challenger.card,
        float(counts.sum()),
        float(counts[new].sum()),
        known_by(challenger),
    )


def is_taught_from(champion: Bundle | None, challenger: Bundle) -> bool:
    card = challenger.card
    return champion is not None and (card.mode, card.parent) == ("teach", champion.digest)


def result(run: RetrainRun, made: Admitted, promoted: bool, held: set[str]) -> dict[str, Any]:
    bundle, champion = made.challenger.bundle, made.material.champion
    exam, number = bundle.card.metrics.exam, made.version.number
    before = {"macro_f1": champion.bundle.card.metrics.exam.macro_f1} if champion else None
    stays = "the champion stays" if champion else "there is still no champion"
    outcome = "is now the champion" if promoted else f"is registered, and {stays}"
    took = sum(run.progress.seconds.values())
    waiting = f" Clips held back for review: {len(held)}." if held else ""
    return {
        "version": number,
        "digest": bundle.digest,
        "promoted": promoted,
        "reasons": list(made.verdict.reasons),
        "champion": before,
        "challenger": {"macro_f1": exam.macro_f1, "accuracy": exam.accuracy},
        "seconds": run.progress.seconds,
        **pull_facts(bundle),
        "held_back": sorted(held),
        "message": f"{run.domain.title}: version {number} {outcome} "
        f"(macro-F1 {exam.macro_f1:.3f}, {took:.1f} s).{waiting}",
    }


def pull_facts(bundle: Bundle) -> dict[str, Any]:
    """How a taught head's pull was chosen."""
    facts = bundle.card.training.model_dump()
    return {name: facts[name] for name in ("pull", "unseen_loss") if name in facts}


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments, __doc__)
    if not options.dry_run:
        defer_sigterm()
    if options.run and "RAY_ADDRESS" in os.environ:  # a service's job, not a run by hand
        lower_session_priority()
    else:
        lower_priority()
    try:
        asked = RunOptions.checked(vars(options), options.mode)
        domain = asked.applied(load_domains(names=(options.domain,))[options.domain])
        home = home_from_env()
        store = Store.open(home.database_url, home.storage_uri)
        workers = domain.training.workers if asked.workers is None else asked.workers
        wired = partial(wire, domain, home, workers=workers, snapshot=asked.snapshot)
        if options.dry_run and not options.run:
            print("\n".join(dry_run(wired(listed(store, domain, options)), options.mode)))
            return 0
        progress = listed(store, domain, options)
    except TelltaleError as error:
        print(f"The run cannot start: {error}", file=sys.stderr)
        return 1

    def work() -> dict[str, Any]:
        exit_on_sigterm()
        progress.started(options.mode)
        sweep(home, store)
        run = wired(progress)
        if options.dry_run:
            lines = dry_run(run, options.mode)
            return {"dry_run": lines, "message": lines[-1]}
        return retrain(run, options.mode, options.output, not options.no_promote)

    with nullcontext() if options.run and options.mode == "teach" else beating(progress):
        return attempt(progress, home, work)


def listed(store: Store, domain: Domain, options: argparse.Namespace) -> Progress:
    """The run's row: the one that was queued, or one made now; a dry run has none."""
    run_id = options.run or uuid.uuid4().hex[:12]
    who = store.runs.get(run_id).who if options.run else somebody()
    if not options.run and not options.dry_run:
        store.runs.start(
            run_id,
            domain=domain.name,
            mode=options.mode,
            reason=options.reason,
            who=who,
            trigger="command",
            options=RunOptions.checked(vars(options), options.mode).changed(),
        )
    return Progress(store, run_id, domain.name, who, partial(print, flush=True))


def wire(
    domain: Domain, home: Home, progress: Progress, *, workers: int, snapshot: str | None
) -> RetrainRun:
    registry, data = Registry(home.tracking_uri, home.artifact_root), dataset_root()
    return RetrainRun(
        domain, home, progress.store, registry, progress, data, PRETRAINED, workers, snapshot
    )


def _make_full(run: RetrainRun, material: Material, folder: Path) -> Challenger:
    from training.job.full_retrain import make_full

    return make_full(run, material, folder)


MODES: dict[str, Callable[[RetrainRun, Material, Path], Challenger]] = {
    "full": _make_full,
    "teach": make_taught,
}

if __name__ == "__main__":
    keep_to_owner()
    sys.exit(main())
