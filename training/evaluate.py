"""The exam of a bundle: from the embeddings it carries, or from the clips themselves.

    telltale evaluate faults [--bundle FOLDER] [--output models/cards]

prints the figures on the card beside those found again; from the clips too where the data set is
there. All three must agree: that is what makes a card worth reading. The model is the champion of
this TELLTALE_HOME, else the shipped one. `--output` writes a Markdown card with plots.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from data.datasets.dataset import read_file
from data.datasets.sources import dataset_root
from data.domains.domain import load_domains
from data.errors import TelltaleError
from data.home import planned_home
from data.terminal import command, new_parser
from models.bundle import Bundle, load_bundle
from models.metrics import Metrics
from models.registry.current_model import current
from models.runtime import OnnxModel
from training.assess.examine import exam_clips, from_clips, from_embeddings


def table(columns: dict[str, Metrics]) -> list[str]:
    """Lines: one figure a line, one source a column."""
    labels = list(next(iter(columns.values())).per_class)
    width = max(len(label) for label in (*labels, "calibration error")) + 5
    rows = {
        "accuracy": [figures.accuracy for figures in columns.values()],
        "macro-F1": [figures.macro_f1 for figures in columns.values()],
        "calibration error": [figures.ece for figures in columns.values()],
        **{
            f"F1 {label}": [figures.per_class[label].f1 for figures in columns.values()]
            for label in labels
        },
    }
    lines = [" " * width + "".join(f"{name:>12}" for name in columns)]
    return lines + [
        name.ljust(width) + "".join(f"{value:12.3f}" for value in values)
        for name, values in rows.items()
    ]


def mask_lines(bundle: Bundle, dataset: Path | None) -> list[str]:
    """Dice and IoU over all pixels, with 95 % intervals; nothing where no masks are drawn."""
    card = bundle.card.metrics.masks
    if card is None:
        return []
    lines = [f"all pixels of {card.photographs} photographs in {card.groups} groups"]
    columns = {"card": card}
    if dataset:
        from training.assess.calibration.thresholds import mask_figures

        clips = exam_clips(bundle.domain, dataset)
        embed = OnnxModel(bundle).embed
        found = mask_figures(bundle.head(), clips, embed, read_file, bundle.domain)
        columns |= {"clips": found} if found else {}
    for name, figures in columns.items():
        dice, iou = figures.dice, figures.iou
        lines.append(
            f"{name:>8}: Dice {dice.value:.3f} ({dice.low:.3f} to {dice.high:.3f}), "
            f"IoU {iou.value:.3f} ({iou.low:.3f} to {iou.high:.3f})"
        )
    return [*lines, *(_agreement_lines(bundle, dataset) if dataset else [])]


def _agreement_lines(bundle: Bundle, dataset: Path) -> list[str]:
    from training.assess.mask_agreement import TOLERANCE_PX, agreement_by_source

    return [
        f"{each.source:>12} ({each.photographs}): Dice {each.dice:.3f}, "
        f"F1 within {TOLERANCE_PX} px {each.near_f1:.3f}"
        for each in agreement_by_source(bundle, dataset)
    ]


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    parser = new_parser("telltale evaluate", __doc__)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: this home's champion, or the shipped")
    parser.add_argument("--output", type=Path, help="folder for a Markdown card and its plots")
    options = parser.parse_args(arguments)
    domain = load_domains(names=(options.domain,))[options.domain]
    if options.bundle:
        folder, which = options.bundle, f"from {options.bundle}"
    else:
        folder, version = current(domain, planned_home())
        which = f"version {version}"
    bundle = load_bundle(folder)
    columns = {"card": bundle.card.metrics.exam, "embeddings": from_embeddings(bundle)}
    if dataset := dataset_root():
        columns["clips"] = from_clips(bundle, dataset)
    lines = [f"{domain.name}, {which}", *table(columns), *mask_lines(bundle, dataset)]
    if options.output:
        from training.assess.card.model_card import write_model_card  # and matplotlib

        lines.append(f"card: {write_model_card(bundle, dataset, options.output)}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
