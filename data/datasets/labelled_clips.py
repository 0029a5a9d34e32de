"""All labelled clips of a domain: its data set's, and those that people sent."""

from dataclasses import replace
from pathlib import Path

from data.database.schema import ClipState
from data.datasets.dataset import Kept, LabelledClip, MaskFile, from_example
from data.datasets.sources import examples
from data.domains.domain import Domain
from data.store.clips.clip_rows import Clip
from data.store.store import Store


def of_dataset(domain: Domain, root: Path | None) -> list[LabelledClip]:
    if root is None or not (root / domain.source.dataset).is_dir():
        return []
    return [from_example(row) for row in examples(domain, root)]


def of_store(
    store: Store, domain: str, label: str | None = None, newest: int | None = None
) -> list[LabelledClip]:
    """Those that count or may yet count, oldest first: all, or the `newest` of a label."""
    states: tuple[ClipState, ...] = ("accepted", "quarantined")
    kept = [
        clip
        for state in states
        for clip in store.clips.find(domain, state=state, label=label, limit=newest)
    ]
    ordered = sorted(kept, key=lambda clip: clip.created_at)
    return [_labelled(clip) for clip in (ordered[-newest:] if newest else ordered)]


def _labelled(clip: Clip) -> LabelledClip:
    mask = MaskFile(clip.mask, None) if clip.mask else None
    about = clip.label or "", clip.group or clip.sha256, clip.source
    return LabelledClip(clip.sha256, *about, None, mask)


def together(ours: list[LabelledClip], kept: list[LabelledClip]) -> list[LabelledClip]:
    """A clip that is in both has the label, and the mask, that people gave it."""
    said = {clip.sha256: clip for clip in kept}
    known = {clip.sha256 for clip in ours}
    better = [(clip, said.get(clip.sha256, clip)) for clip in ours]
    ours = [replace(clip, label=told.label, mask=told.mask) for clip, told in better]
    return ours + [clip for clip in kept if clip.sha256 not in known]


def read(clip: Kept, store: Store | None) -> bytes:
    if clip.path is not None:
        return clip.path.read_bytes()
    assert store is not None, f"{clip.sha256} is kept nowhere"
    return store.clips.read(clip.sha256)
