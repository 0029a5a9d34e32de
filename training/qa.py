"""Labels that are likely wrong, told worst first and flagged for review.

    telltale qa faults [--dry-run]

The clips are those that the champion remembers and is examined by, and those that people sent; its
backbone has heard them all, or does now. No network is trained and no label is changed. Of
photographs it is their masks that are doubted.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Doubles, Floats, Integers
from data.commands.existing_store import existing_store
from data.datasets.dataset import LabelledClip
from data.datasets.labelled_clips import of_dataset, of_store, read
from data.datasets.sources import dataset_root
from data.domains.domain import Domain, load_domains
from data.errors import ClipError, NotReady, TelltaleError, UnknownName
from data.home import home_from_env
from data.media.prepare import prepare
from data.progress import progress
from data.store.events import somebody
from data.store.review.flags import Found
from data.store.store import Store
from data.terminal import command, new_parser
from models.bundle import PRETRAINED
from models.registry.registry import Registry
from training.assess.label_errors import Suspect, doubtful_masks, out_of_sample, suspects
from training.assess.memory_rows import row_labels
from training.screening.serving_champion import ChampionBundle, find_champion, must_share_labels

SHOWN = 50


@dataclass(frozen=True)
class Labelled:
    """Clips, the champion's embeddings of them, values [n, rows, D], and the right label of each
    row [n, rows]: one row a clip, or one for each remembered pixel of a photograph."""

    clips: tuple[LabelledClip, ...]
    values: Floats
    labels: Integers


Known = dict[str, tuple[LabelledClip, Floats, Integers]]  # by sha256, as in Labelled


def examine_labels(domain: Domain, labelled: Labelled) -> list[Suspect]:
    """The worst first; a photograph's label is what of it is drawn."""
    count, rows, size = labelled.values.shape
    groups = [clip.group for clip in labelled.clips for _ in range(rows)]
    found = out_of_sample(
        labelled.values.reshape(-1, size),
        labelled.labels.ravel(),
        groups,
        len(domain.labels),
        domain.training.seed,
    )
    return SUSPECTS[domain.task](found.reshape(count, rows, -1), labelled.labels)


def _of_clips(probabilities: Doubles, labels: Integers) -> list[Suspect]:
    return suspects(probabilities[:, 0], labels[:, 0])


def gather(champion: ChampionBundle, domain: Domain, store: Store | None) -> Labelled:
    """What the champion was taught, with the names and groups of the data set where it is here,
    and the labels that people have given since."""
    known = _remembered(champion)
    for clip in of_dataset(domain, dataset_root()):
        if found := known.get(clip.sha256):
            known[clip.sha256] = (replace(clip, label=found[0].label), *found[1:])
    kept = of_store(store, domain.name) if store else []
    with progress("listening", len(kept)) as advance:
        for clip in kept:
            advance(1)
            if clip.label in domain.labels:
                known |= _heard(clip, champion, known, store)
    clips, values, labels = zip(*known.values(), strict=True)
    return Labelled(clips, np.stack(values), np.stack(labels))


def _remembered(champion: ChampionBundle) -> Known:
    known: Known = {}
    for part in (champion.exam, champion.memory):
        rows = zip(part.clip_ids, part.by_clip, part.labels_by_clip, strict=True)
        for sha256, values, labels in rows:
            name = champion.bundle.labels[labels.max()]  # of a photograph what is sought, if any is
            known[sha256] = (LabelledClip(sha256, name, sha256, "", None), values, labels)
    return known


def _heard(
    clip: LabelledClip, champion: ChampionBundle, known: Known, store: Store | None
) -> Known:
    """By what people say of it; nothing where that, or the clip, cannot be read: `telltale data
    check` tells of it."""
    domain = champion.bundle.domain
    try:
        labels = row_labels(clip, lambda kept: read(kept, store), domain)
        if found := known.get(clip.sha256):
            return {clip.sha256: (replace(found[0], label=clip.label), found[1], labels)}
        features = prepare(read(clip, store), domain).features
        return {clip.sha256: (clip, champion.embed(features), labels)}
    except (ClipError, UnknownName):
        return {}


def reason(suspect: Suspect, domain: Domain) -> str:
    return REASONS[domain.task](suspect, domain)


def _of_label(suspect: Suspect, domain: Domain) -> str:
    better = domain.labels[suspect.label]
    return f"more likely {better!r} ({suspect.suggested:.0%} against {suspect.given:.0%})"


def _of_mask(suspect: Suspect, domain: Domain) -> str:
    better = domain.labels[suspect.label]
    return (
        f"its mask is in doubt: {suspect.suggested:.0%} of what is drawn, or should be, is drawn "
        f"otherwise than it looks, most of that more likely {better!r}"
    )


SUSPECTS: dict[str, Callable[[Doubles, Integers], list[Suspect]]] = {
    "classify": _of_clips,
    "segment": doubtful_masks,
}
REASONS: dict[str, Callable[[Suspect, Domain], str]] = {"classify": _of_label, "segment": _of_mask}


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    parser = new_parser("telltale qa", __doc__)
    parser.add_argument("domain")
    parser.add_argument("--dry-run", action="store_true", help="tell, but put no flags")
    options = parser.parse_args(arguments)
    tell(load_domains(names=(options.domain,))[options.domain], options.dry_run)


def tell(domain: Domain, dry_run: bool) -> None:
    home = home_from_env()
    registry = Registry(home.tracking_uri, home.artifact_root)
    champion = find_champion(domain, registry, home.bundles, PRETRAINED)
    if champion is None:
        raise NotReady(f"{domain.name} has no model yet, whose embeddings could be looked at")
    must_share_labels(champion, domain)
    store = existing_store(home)
    labelled = gather(champion, domain, store)
    found = [(labelled.clips[one.place], one) for one in examine_labels(domain, labelled)]
    for clip, one in found[:SHOWN]:
        sys.stdout.write(f"  {clip.name} ({clip.label}): {reason(one, domain)}\n")
    if len(found) > SHOWN:
        sys.stdout.write(f"  and {len(found) - SHOWN} more\n")
    sys.stdout.write(
        f"{domain.title}: {len(found)} of {len(labelled.clips)} labels are doubtful.\n"
    )
    if store and not dry_run:
        flags: list[Found] = [
            (clip.sha256, "label", reason(one, domain), one.suggested - one.given)
            for clip, one in found
        ]
        count = store.flags.put(domain.name, ["label"], flags, who=somebody())
        sys.stdout.write(f"{count} flags on kept clips wait in the review queue.\n")


if __name__ == "__main__":
    sys.exit(main())
