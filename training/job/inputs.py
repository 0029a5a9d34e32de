"""What a run starts from: the list of clips, fixed and screened, and the champion to beat."""

from collections.abc import Sequence
from contextlib import suppress

from data.datasets.dataset import LabelledClip
from data.domains.domain import Mode
from data.errors import UnknownName
from training.job.plan import describe, describe_teaching, plan_full
from training.job.run import Material, RetrainRun
from training.screening.clip_embedder import ClipEmbedder
from training.screening.exam_guard import exam_guard, examined_clips
from training.screening.review_flags import backbone_of, keep_features, newly_found, review_flags
from training.screening.serving_champion import ChampionBundle, dataset_clips, find_champion
from training.screening.uploads import Refusal, Uploads, screen


def gather(run: RetrainRun, mode: Mode) -> Material:
    """The list of clips is fixed first, and stays: a run started again learns from the same."""
    examined = examined_clips(run.domain, run.dataset, mode)
    known = run.store.events.snapshot_of(run.progress.run_id) or run.snapshot
    snapshots, domain, who = run.store.snapshots, run.domain.name, run.progress.who
    snapshot = snapshots.of(domain, known) if known else snapshots.take(domain, who=who)
    run.progress.fixed_snapshot(snapshot.id, len(snapshot.clips))
    champion = serving(run)
    run.progress.step("screen", f"Listening to {len(snapshot.clips)} accepted clips", 0.05)
    embedder = embedding(run, examined if snapshot.clips else (), champion)
    uploads = screen(snapshot.clips, embedder)
    _keep(run, uploads, embedder)
    _reject(run, uploads)
    if mode == "teach":
        uploads = _without_harmful(run, uploads, champion)
    forgotten = still_remembered(run, champion)
    if champion and forgotten and mode == "teach":
        uploads = _only_remembered(uploads, champion)
    return Material(snapshot.id, uploads, champion, forgotten)


def serving(run: RetrainRun) -> ChampionBundle | None:
    return find_champion(run.domain, run.registry, run.home.bundles, run.shipped)


def embedding(
    run: RetrainRun, examined: Sequence[LabelledClip], champion: ChampionBundle | None
) -> ClipEmbedder:
    """What tells of accepted clips what can be learnt from; `examined` are those of a full
    training's exam."""
    known = run.store.features.find(run.domain.name, backbone_of(champion) if champion else "")
    guard = exam_guard(run.domain, run.dataset, examined, champion)
    return ClipEmbedder(run.read, run.domain, champion, known, guard)


def _keep(run: RetrainRun, uploads: Uploads, embedder: ClipEmbedder) -> None:
    """What was found out for the first time is kept, whatever becomes of the run, and flagged."""
    champion, domain = embedder.champion, run.domain.name
    new = newly_found(uploads, embedder.known)
    if champion:
        keep_features(run.store, domain, champion, uploads, new)
    run.store.flags.add(domain, review_flags(uploads, new, champion), who=run.progress.who)
    for sentence in embedder.exam.unchecked if uploads.clips else ():
        run.progress.say(f"       {sentence}")


def _reject(run: RetrainRun, uploads: Uploads) -> None:
    """A clip nothing can be learnt from does not wait for ever: its receipts tell the reason."""
    for refusal in uploads.refused:
        run.progress.say(f"       left out {refusal.sha256[:12]}: {refusal.reason}")
        if refusal.for_good:
            sha256, reason = refusal.sha256, refusal.reason
            with suppress(UnknownName):  # forgotten meanwhile
                run.store.clips.set_state(
                    run.domain.name, sha256, "rejected", who=run.progress.who, reason=reason
                )


def still_remembered(run: RetrainRun, champion: ChampionBundle | None) -> frozenset[str]:
    """What somebody asked us to forget, and has not been sent again, in the champion's memory."""
    if champion is None:
        return frozenset()
    clips, domain = run.store.clips, run.domain.name
    asked, _ = clips.forgotten(domain)
    return frozenset(clips.missing(domain, asked & set(champion.memory.clip_ids)))


def _without_harmful(run: RetrainRun, uploads: Uploads, champion: ChampionBundle | None) -> Uploads:
    """What a teach has held back before, and a person has accepted since, is for full trainings:
    it would only be held back again. What one of those has learnt stays."""
    harmful = run.store.flags.harmful(run.domain.name)
    if champion is None or not harmful:
        return uploads
    known = as_remembered(uploads, champion)
    reason = "a teach with it was refused: it waits for a full training"
    return uploads.without(
        [
            Refusal(clip.sha256, clip.label, reason, for_good=False)
            for clip, same in zip(uploads.clips, known, strict=True)
            if clip.sha256 in harmful and not same
        ]
    )


def _only_remembered(uploads: Uploads, champion: ChampionBundle) -> Uploads:
    """A teach that forgets learns nothing else: forgetting asks no gate, learning always does."""
    reason = "it waits for the next retrain: this one only forgets"
    return uploads.without(
        [
            Refusal(clip.sha256, clip.label, reason, for_good=False)
            for clip, same in zip(uploads.clips, as_remembered(uploads, champion), strict=True)
            if not same
        ]
    )


def is_known_already(material: Material, champion: ChampionBundle) -> bool:
    """The champion remembers just these clips from people, with just these labels."""
    uploads, taught = material.uploads, champion.memory.clip_ids[dataset_clips(champion) :]
    taken_back = set(taught) - {clip.sha256 for clip in uploads.clips}
    known = all(as_remembered(uploads, champion))
    return known and not taken_back and not material.forgotten


def as_remembered(uploads: Uploads, champion: ChampionBundle) -> list[bool]:
    """Which of them the champion remembers with just these labels."""
    memory = champion.memory
    remembered = dict(zip(memory.clip_ids, memory.labels_by_clip.tolist(), strict=True))
    said = zip(uploads.clips, uploads.labels.tolist(), strict=True)
    return [remembered.get(clip.sha256) == rows for clip, rows in said]


def dry_run(run: RetrainRun, mode: Mode) -> list[str]:
    """What a run would learn from; nothing is fixed, trained or written."""
    domain = run.domain
    champion = serving(run)
    examined = examined_clips(domain, run.dataset, mode)
    accepted = run.store.clips.find(domain.name, state="accepted", limit=None)
    uploads = screen(accepted, embedding(run, examined, champion))
    if mode == "full":
        lines = describe(plan_full(domain, run.dataset, uploads), domain)
    else:
        lines = describe_teaching(uploads, domain)
    name = f"version {champion.name} ({champion.bundle.digest[:12]})" if champion else "none yet"
    return [*lines, f"champion: {name}", f"Nothing was changed: this was a dry run of {mode}."]
