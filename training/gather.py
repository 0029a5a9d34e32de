"""What a run starts from: the list of clips, fixed and screened, and the champion to beat."""

from contextlib import suppress

from data.domain import Mode
from data.errors import UnknownName
from training.champion import Champion, find_champion
from training.lesson import dataset_clips
from training.plan import (
    Uploads,
    describe,
    describe_teaching,
    exam_ids,
    plan_full,
    screen,
)
from training.run import Material, Run


def gather(run: Run, mode: Mode) -> Material:
    """The list of clips is fixed first, and stays: a run started again learns from the same."""
    unseen = exam_ids(run.domain, run.dataset, mode)
    known = run.progress.first_snapshot()
    snapshots = run.store.snapshots
    who = run.progress.who
    snapshot = snapshots.get(known) if known else snapshots.take(run.domain.name, who=who)
    run.progress.fixed_snapshot(snapshot.id, len(snapshot.clips))
    champion = serving(run)
    run.progress.step("screen", f"Listening to {len(snapshot.clips)} accepted clips", 0.05)
    uploads = screen(snapshot.clips, run.read, run.domain, unseen, champion)
    _reject(run, uploads)
    return Material(snapshot.id, uploads, champion)


def serving(run: Run) -> Champion | None:
    return find_champion(run.domain, run.registry, run.home.bundles, run.shipped)


def _reject(run: Run, uploads: Uploads) -> None:
    """A clip nothing can be learnt from does not wait for ever: its receipts tell the reason."""
    for refusal in uploads.refused:
        run.progress.say(f"       left out {refusal.sha256[:12]}: {refusal.reason}")
        if refusal.for_good:
            sha256, reason = refusal.sha256, refusal.reason
            with suppress(UnknownName):  # forgotten meanwhile
                run.store.clips.set_state(
                    run.domain.name, sha256, "rejected", who=run.progress.who, reason=reason
                )


def is_known_already(material: Material, champion: Champion) -> bool:
    """The champion remembers just these clips from people, with just these labels."""
    memory, uploads = champion.memory, material.uploads
    remembered = dict(zip(memory.clip_ids, memory.labels_by_clip.tolist(), strict=True))
    clips = (clip.sha256 for clip in uploads.clips)
    said = dict(zip(clips, uploads.labels.tolist(), strict=True))
    taken_back = set(memory.clip_ids[dataset_clips(champion) :]) - set(said)
    return not taken_back and all(remembered.get(clip) == rows for clip, rows in said.items())


def dry_run(run: Run, mode: Mode) -> list[str]:
    """What a run would learn from; nothing is fixed, trained or written."""
    domain = run.domain
    champion = serving(run)
    unseen = exam_ids(domain, run.dataset, mode)
    accepted = run.store.clips.find(domain.name, state="accepted", limit=None)
    uploads = screen(accepted, run.read, domain, unseen, champion)
    if mode == "full":
        lines = describe(plan_full(domain, run.dataset, uploads), domain)
    else:
        lines = describe_teaching(uploads, domain)
    name = f"version {champion.name} ({champion.bundle.digest[:12]})" if champion else "none yet"
    return [*lines, f"champion: {name}", f"Nothing was changed: this was a dry run of {mode}."]
