"""A domain's data and model as one page with pictures, for people.

    telltale report faults [--output report/]

Clips by label (waveforms and spectrograms; photographs with what of them is marked), their
balance, what each label sounds like in the mean, confusion, calibration, curves of the last full
retrains, and the lineage: data snapshot -> run -> version -> receipts. From the model's own card,
the store of this TELLTALE_HOME and the data set, as far as they are there and can be read. It needs
models and plots, and so stands here and not under `telltale data`.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from data.commands.existing_store import existing_store
from data.commands.lineage_graph import steps
from data.datasets.dataset import Kept, LabelledClip, from_example
from data.datasets.labelled_clips import of_store, read
from data.datasets.sources import Example, dataset_root, listed, must_be_trainable
from data.domains.domain import AudioDomain, Domain, load_domains
from data.domains.sections import LogMelSpec
from data.errors import InvalidParameter, NotReady, TelltaleError
from data.home import Home, planned_home
from data.media.audio.log_mel_means import centres_hz
from data.store.run_curves import run_curves
from data.store.store import Store
from data.terminal import command, new_parser
from models import insight_sentences as sentences
from models.bundle import Bundle, load_bundle
from models.registry.current_model import current
from training.assess.card.model_plots import draw_confusion, draw_curves, draw_reliability
from training.report.page import Part, write_page
from training.report.pictures import draw_balance, draw_clips, draw_trends

SHOWN = 3  # clips of a label
RUNS = 50
NO_DATASET = "TELLTALE_DATASETS names no data set."


@dataclass(frozen=True)
class Dataset:
    """As far as it can be read; `trouble` is why no model can be trained on it."""

    examples: Sequence[Example]
    trouble: str = ""


def write_report(
    domain: Domain, model: tuple[Bundle, str] | None, store: Store | None, folder: Path
) -> Path:
    """The page; its pictures are written beside it. `model` is a bundle and its version."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = _dataset(domain, dataset_root())
    bundle, version = model or (None, "")
    parts = [
        _clips(domain, dataset, store, folder),
        _balance(domain, dataset, bundle, store, folder),
        *(_of_model(bundle, folder) if bundle else ()),
        *_curves(domain, store, folder),
    ]
    lineage = steps(store, domain.name, RUNS) if store else []
    file = folder / "index.html"
    about = f"version {version}" if model else "no model yet"
    write_page(file, f"{domain.title}: data and {about}", parts, lineage)
    return file


def _dataset(domain: Domain, root: Path | None) -> Dataset:
    if root is None or not (root / domain.source.dataset).is_dir():
        return Dataset((), NO_DATASET)
    found: list[Example] = []
    try:
        found = listed(domain, root)
        must_be_trainable(found, domain)
    except InvalidParameter as error:
        return Dataset(found, f"No model can be trained on the data set: {error}.")
    return Dataset(found)


def _clips(domain: Domain, dataset: Dataset, store: Store | None, folder: Path) -> Part:
    def readable(clip: Kept) -> bytes:
        return read(clip, store)

    shown = {label: _of_label(label, domain, dataset, store) for label in domain.labels}
    some = {label: clips for label, clips in shown.items() if clips}
    told = (dataset.trouble,) if dataset.trouble else ()
    if not some:
        return Part("Clips by label", ("No clips are kept here.", *told))
    draw_clips(domain, some, readable, folder / "clips.png")
    order = (
        f"The newest that people sent, accepted or waiting, then the data set's: {SHOWN} a label."
    )
    return Part("Clips by label", (order, *told), "clips.png")


def _of_label(
    label: str, domain: Domain, dataset: Dataset, store: Store | None
) -> list[LabelledClip]:
    """Only of these the files are read: a data set may be large."""
    kept = of_store(store, domain.name, label, SHOWN)[::-1] if store else []
    rest = islice((row for row in dataset.examples if row.label == label), SHOWN - len(kept))
    return kept + list(map(from_example, rest))


def _balance(
    domain: Domain, dataset: Dataset, bundle: Bundle | None, store: Store | None, folder: Path
) -> Part:
    counts = _learnt(bundle) if bundle else _listed(domain, dataset)
    rows = store.counts.kept(domain.name) if store else []
    kept: Counter[str] = Counter()
    for row in rows:
        label = row.label or ""
        counts.setdefault(label, Counter())[f"kept, {row.state}"] += row.clips
        kept[label] += row.clips
    draw_balance(
        {label or "no label yet": found for label, found in counts.items()}, folder / "balance.png"
    )
    waiting = store.counts.waiting(domain.name) if store else {}
    told = sentences.of_kept(kept), sentences.of_waiting(waiting)
    return Part("Balance", told, "balance.png")


def _learnt(bundle: Bundle) -> dict[str, Counter[str]]:
    remembered = bundle.memory().labels_by_clip.max(axis=1)
    learnt = np.bincount(remembered, minlength=len(bundle.labels)).tolist()
    return {
        label: Counter({"remembered by the model": number})
        for label, number in zip(bundle.labels, learnt, strict=True)
    }


def _listed(domain: Domain, dataset: Dataset) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {label: Counter() for label in domain.labels}
    for row in dataset.examples:
        counts[row.label][f"data set, {row.split}"] += 1
    return counts


def _of_model(bundle: Bundle, folder: Path) -> list[Part]:
    return [*_trends(bundle, folder), *_exam(bundle, folder)]


def _trends(bundle: Bundle, folder: Path) -> list[Part]:
    """Nothing of photographs, nor of a network that hears waveforms."""
    domain, means = bundle.card.domain, bundle.card.training.log_mel_means
    if not means or not isinstance(domain, AudioDomain):
        return []
    assert isinstance(domain.features, LogMelSpec), domain.features
    draw_trends(means, domain.features, folder / "trends.png")
    told = sentences.of_features(means, centres_hz(domain.features))
    return [Part("Log-mel and MFCC by label", tuple(told.values()), "trends.png")]


def _exam(bundle: Bundle, folder: Path) -> list[Part]:
    exam = bundle.card.metrics.exam
    draw_confusion(bundle, folder / "confusion.png")
    draw_reliability(bundle, folder / "reliability.png")
    folds = bundle.card.metrics.out_of_fold
    told = (
        *([sentences.of_folds(folds)] if folds else []),
        f"On clips that are never learnt: accuracy {exam.accuracy:.3f}, "
        f"macro-F1 {exam.macro_f1:.3f}.",
        sentences.of_exam(exam),
    )
    sure = (f"Calibration error {exam.ece:.3f}.",)
    return [
        Part("Confusion", told, "confusion.png"),
        Part("Calibration", sure, "reliability.png"),
    ]


def _curves(domain: Domain, store: Store | None, folder: Path) -> list[Part]:
    parts = []
    for curve in run_curves(store, domain.name) if store else ():
        picture = f"curves-{curve.run}.png"
        draw_curves(curve.epochs, folder / picture)
        parts.append(
            Part(f"Curves of run {curve.run}", (f"{curve.created:%Y-%m-%d %H:%M}",), picture)
        )
    return parts


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    parser = new_parser("telltale report", __doc__)
    parser.add_argument("domain")
    parser.add_argument("--output", type=Path, help="folder (default: report-DOMAIN)")
    options = parser.parse_args(arguments)
    domain = load_domains(names=(options.domain,))[options.domain]
    home = planned_home()
    output = options.output or Path(f"report-{domain.name}")
    written = write_report(domain, _model(domain, home), existing_store(home), output)
    sys.stdout.write(f"{written}\n")


def _model(domain: Domain, home: Home) -> tuple[Bundle, str] | None:
    try:
        folder, version = current(domain, home)
    except NotReady:
        return None
    return load_bundle(folder), version


if __name__ == "__main__":
    sys.exit(main())
