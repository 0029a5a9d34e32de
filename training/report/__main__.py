"""A domain's data and model as one page with pictures, for people.

    telltale report faults [--output report/]

Clips by label (waveforms and spectrograms; photographs with what of them is marked), their
balance, what each label sounds like in the mean, confusion, calibration, curves of the last full
retrains, and the lineage: data snapshot -> run -> version -> receipts. From the model's own card,
the store of this TELLTALE_HOME and the data set, as far as they are there. It needs models and
plots, and so stands here and not under `telltale data`.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.commands.existing_store import existing_store
from data.commands.lineage_graph import steps
from data.datasets.dataset import Kept, LabelledClip
from data.datasets.labelled_clips import of_dataset, of_store, read, together
from data.datasets.sources import dataset_root
from data.domains.domain import AudioDomain, Domain, load_domains
from data.domains.sections import LogMelSpec
from data.errors import TelltaleError
from data.home import planned_home
from data.media.audio.log_mel_means import centres_hz
from data.store.run_curves import run_curves
from data.store.store import Store
from data.terminal import command, new_parser, piped
from models import insight_sentences as sentences
from models.bundle import Bundle, load_bundle
from models.registry.current_model import current
from training.assess.card.model_plots import draw_confusion, draw_curves, draw_reliability
from training.report.page import Part, write_page
from training.report.pictures import draw_balance, draw_clips, draw_trends

SHOWN = 3  # clips of a label
RUNS = 50


def write_report(
    domain: Domain, bundle: Bundle, version: str, store: Store | None, folder: Path
) -> Path:
    """The page; its pictures are written beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        _clips(domain, store, folder),
        _balance(domain, bundle, store, folder),
        *_trends(bundle, folder),
        *_exam(bundle, folder),
        *_curves(domain, store, folder),
    ]
    lineage = steps(store, domain.name, RUNS) if store else []
    file = folder / "index.html"
    write_page(file, f"{domain.title}: data and version {version}", parts, lineage)
    return file


def _clips(domain: Domain, store: Store | None, folder: Path) -> Part:
    title, kept = "Clips by label", of_store(store, domain.name) if store else []

    def readable(clip: Kept) -> bytes:
        return read(clip, store)

    some: dict[str, list[LabelledClip]] = {label: [] for label in domain.labels}
    for clip in together(of_dataset(domain, dataset_root()), kept):
        if len(of_label := some.get(clip.label, [])) < SHOWN and clip.label in some:
            of_label.append(clip)
    some = {label: clips for label, clips in some.items() if clips}
    if not some:
        return Part(title, ("No clips are kept here, and TELLTALE_DATASETS names no data set.",))
    draw_clips(domain, some, readable, folder / "clips.png")
    return Part(title, (f"The first {SHOWN} of each label.",), "clips.png")


def _balance(domain: Domain, bundle: Bundle, store: Store | None, folder: Path) -> Part:
    remembered = bundle.memory().labels_by_clip.max(axis=1)
    learnt = np.bincount(remembered, minlength=len(bundle.labels)).tolist()
    counts = {
        label: Counter({"remembered by the model": number})
        for label, number in zip(bundle.labels, learnt, strict=True)
    }
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
    told = (
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
    folder, version = current(domain, home)
    output = options.output or Path(f"report-{domain.name}")
    written = write_report(domain, load_bundle(folder), version, existing_store(home), output)
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    sys.exit(piped(main))
