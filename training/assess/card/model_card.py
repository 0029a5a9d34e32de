"""A bundle's model card for people: Markdown and two plots (Mitchell et al. 2019, "Model cards for
model reporting").

All figures are the bundle's own; what a clip costs is measured here and now, and clips of other
data sets are heard where those are at hand. Evaluations by other protocols are taken from
`models/cards/<domain>.protocols.json`: see `training/assess/crossval_figures.py`.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.domains.domain import Domain
from data.errors import InvalidParameter
from models.bundle import Bundle
from models.card import CARD
from models.metrics import ClassFigures
from models.runtime import OnnxModel
from training.assess.bank_facts import bank_facts
from training.assess.card.cost import clip_ms, window_ms
from training.assess.card.markdown import Lines, number, spread, table
from training.assess.card.trust_lines import confidence, unknown
from training.assess.crossval_figures import WORDS, protocols_file, with_interval
from training.assess.folds import GROUP
from training.assess.mask_agreement import TOLERANCE_PX, agreement_by_source
from training.assess.reliability import (
    exam_chance_error,
    exam_groups,
    exam_intervals,
    rejected_foreign_clips,
)

CARDS = Path(__file__).resolve().parents[3] / "models" / "cards"
FEW = 20  # groups to draw from
OTHERS = (  # tables of other protocols, and their columns
    {"accuracy": "accuracy", "macro_f1": "macro-F1"},
    {"dice": "Dice", "iou": "IoU"},
    {"unknown_strangers": "strangers called unknown", "unknown_known": "others called unknown"},
)


def write_model_card(bundle: Bundle, dataset: Path | None, folder: Path) -> Path:
    """`<domain>.md` and its plots into `folder`."""
    from training.assess.card.model_plots import draw_confusion, draw_reliability

    name = bundle.domain.name
    folder.mkdir(parents=True, exist_ok=True)
    draw_confusion(bundle, folder / f"{name}-confusion.png")
    draw_reliability(bundle, folder / f"{name}-reliability.png")
    model = OnnxModel(bundle)
    strangers = rejected_foreign_clips(model, bundle.domain, dataset) if dataset else []
    lines = [
        *_head(bundle),
        *_out_of_fold(bundle),
        *_protocols(protocols_file(CARDS, name), bundle.domain),
        *summary(bundle),
        *_models_examined(name),
        *labels(bundle),
        *(_by_source(bundle, dataset) if dataset else []),
        *confidence(bundle),
        *unknown(bundle, model, strangers),
        *_cost(bundle, model, dataset),
        *_data(bundle),
    ]
    file = folder / f"{name}.md"
    file.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return file


def _head(bundle: Bundle) -> Lines:
    domain = bundle.domain
    warning = [f"> {domain.disclaimer}", ""] if domain.disclaimer else []
    return [f"# {domain.title}", "", domain.description, "", *warning]


def _out_of_fold(bundle: Bundle) -> Lines:
    found = bundle.card.metrics.out_of_fold
    if found is None:
        return []
    dealt = "whole groups" if found.by == GROUP else f"by {found.by}"
    once = found.each_group_once
    shares = (
        ("macro-F1", found.macro_f1, once.macro_f1),
        ("accuracy", found.accuracy, once.accuracy),
        ("asserted", found.asserted, once.asserted),
        ("of the asserted, right", found.asserted_right, once.asserted_right),
        ("called unknown", found.unknown, once.unknown),
    )
    rows = [
        *(
            (name, number(of_groups), *spread(of_clips))
            for name, of_clips, of_groups in shares
            if of_clips is not None and of_groups is not None
        ),
        ("calibration error", "", number(found.calibration_error), ""),
        ("by chance alone, in the mean", "", number(found.chance_error), ""),
    ]
    few = " So few say little of their own spread." if found.groups < FEW else ""
    apart = (
        f" (from {found.start}, which has heard none of these recordings; what this one starts "
        "from has heard those that it learnt, so that it may do better)"
        if found.start != bundle.domain.start_from
        else ""
    )
    taught = " All this is of the last full training." if bundle.card.mode == "teach" else ""
    return [
        "## Out of fold",
        "",
        f"What a stranger's clip may expect. {found.clips:,} clips outside the exam were dealt "
        f"into {found.folds} parts ({dealt}), and each part was asked of a model that had learnt "
        f"only the others, by this one's recipe{apart}. Temperature and limits of each part come "
        "from the answers in the others. The next recording is a group of its own, into however "
        f"many clips it is cut: first each of the {found.groups} groups counts once, then each "
        f"clip, with 95 % intervals by bootstrap over groups.{few}{taught}",
        "",
        *table(("figure", "each group once", "each clip", "95 % interval"), rows),
    ]


def summary(bundle: Bundle) -> Lines:
    """The exam in a table; the same bundle always gives the same lines."""
    exam, card = bundle.exam(), bundle.card.metrics
    rows = [(WORDS[name], *spread(each)) for name, each in exam_intervals(bundle).items()]
    if card.masks:
        rows += [("Dice", *spread(card.masks.dice)), ("IoU", *spread(card.masks.iou))]
    rows.append(("calibration error", number(card.exam.ece), ""))
    if card.exam.reliability:
        above = max(0.0, card.exam.ece - exam_chance_error(bundle))
        rows.append(("of it above chance", number(above), ""))
    groups, clips = len(set(exam_groups(exam).tolist())), len(exam.clip_ids)
    what = "All pixels count for Dice and IoU, remembered ones for the others. " * bool(card.masks)
    return [
        "## Exam",
        "",
        f"{clips} clips in {groups} groups that nobody learnt from. {what}Intervals are 95 %, by "
        "bootstrap over groups: the clips of a group go together.",
        "",
        *table(("figure", "value", "95 % interval"), rows),
    ]


def _models_examined(name: str) -> Lines:
    """`exams.json` counts for each domain the trained models whose exam was looked at, also those
    that were not kept: whoever looks at one more adds it there."""
    file = CARDS / "exams.json"
    counts = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if name not in counts:
        return []
    return [
        "Models whose figures in this exam were looked at until one of them was shipped: at least "
        f"{counts[name]}, by what is on record. How many a service has judged by it since, each "
        "verdict says.",
        "",
    ]


def labels(bundle: Bundle) -> Lines:
    needed = bundle.card.assert_at
    heads = ("label", "precision", "recall", "F1", "clips", *(("asserted from",) if needed else ()))
    rows = [
        (name, *_figures(each), *((_least(needed[name]),) if needed else ()))
        for name, each in bundle.card.metrics.exam.per_class.items()
    ]
    name = bundle.domain.name
    return [*table(heads, rows), f"![Confusion]({name}-confusion.png)", ""]


def _by_source(bundle: Bundle, dataset: Path) -> Lines:
    """Of masks, where the photographs are at hand."""
    rows = [
        (f"{each.source} ({each.photographs})", number(each.dice), number(each.near_f1))
        for each in agreement_by_source(bundle, dataset)
    ]
    heads = ("photographs of", "Dice", f"F1 within {TOLERANCE_PX} pixels")
    return table(heads, rows) if rows else []


def _figures(each: ClassFigures) -> tuple[str, ...]:
    return (*map(number, (each.precision, each.recall, each.f1)), str(each.support))


def _least(confidence: float | None) -> str:
    return "never" if confidence is None else f"{confidence:.2f}"


def _protocols(file: Path, domain: Domain) -> Lines:
    if not file.is_file():
        return []
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        tables = [_others(entries, columns, domain) for columns in OTHERS]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameter(
            f"{file.name} must be a list of entries such as "
            '{"protocol": "random split", "note": "...", "figures": {"accuracy": '
            '{"value": 0.9, "low": 0.8, "high": 1.0}, "macro_f1": {...}}}'
        ) from error
    return [
        "## Other splits",
        "",
        "Of models that were trained for this alone, by the recipe of this one where nothing else "
        "is said, each asked about what it was not given: closer to what a stranger's clip will "
        "meet than one exam.",
        "",
        *(line for lines in tables for line in lines),
    ]


def _others(entries: Any, columns: Mapping[str, str], domain: Domain) -> Lines:
    """Those that have such figures; an entry without any stands in the first table."""
    rows = [
        _protocol(entry, columns, domain)
        for entry in entries
        if (entry["figures"] or OTHERS[0]).keys() & columns.keys()
    ]
    return table(("protocol", *columns.values(), "note"), rows) if rows else []


def _protocol(entry: Mapping[str, Any], columns: Iterable[str], domain: Domain) -> tuple[str, ...]:
    found = {name: with_interval(figure) for name, figure in entry["figures"].items()}
    recipe, ours = domain.recipe_digest, domain.start_from
    differs = [
        *["an earlier recipe"] * (entry.get("recipe", recipe) != recipe),
        *[f"this model starts from {ours or 'scratch'}"] * (entry.get("start", ours) != ours),
    ]
    told = f" ({'; '.join(differs)})" if differs else ""
    cells = (found.get(name, "") for name in columns)
    return (entry["protocol"], *cells, entry.get("note", "") + told)


def _cost(bundle: Bundle, model: OnnxModel, dataset: Path | None) -> Lines:
    files = (CARD, *bundle.card.files)
    megabytes = sum((bundle.path / name).stat().st_size for name in files) / 1e6
    facts = bundle.card.training
    clips = []
    if dataset:
        spent_ms, size = clip_ms(bundle, model, dataset)
        what = f"a clip of {size / 1e3:.0f} KB from bytes to answer, one core"
        clips = [(what, f"{spent_ms:.1f} ms")]
    rows = [
        ("parameters", f"{bundle.card.network.parameters:,}"),
        *clips,
        ("network and head, one window, one core", f"{window_ms(bundle, model):.2f} ms"),
        ("bundle", f"{megabytes:.1f} MB"),
        ("training", f"{facts.seconds:,.0f} s, {facts.epochs} epochs, {facts.workers} worker(s)"),
    ]
    return ["## Cost", "", *table(("what", "cost"), rows)]


def _data(bundle: Bundle) -> Lines:
    card, split = bundle.card, bundle.card.split
    rows = [("data set", card.domain.source.dataset), ("licence", card.licence)]
    if found := card.training.backbone:
        what = f"backbone {found['name']}, `{found['sha256'][:12]}`: {found['licence']}"
        rows.append(("starts from", what))
    rows += [*_other_sounds(bundle), *_left_out(bundle)]
    rows += [
        ("clips", f"{split.train} train, {split.validation} validation, {split.exam} exam"),
        ("made", f"{card.created:%Y-%m-%d} by `{card.mode}`, code {card.code_version}"),
        ("bundle", f"`{bundle.digest[:12]}`"),
    ]
    return ["## Data and licence", "", *table(("", ""), rows)]


def _other_sounds(bundle: Bundle) -> list[tuple[str, str]]:
    """Of bundles from before their card said so, by what their domain names."""
    found = bundle.card.training.other_sounds or bank_facts(bundle.domain, len(bundle.others()))
    if found is None:
        return []
    named = ", ".join(f"{name}: {licence}" for name, licence in found.licences.items())
    of = f" ({named})" if named else ""
    what = f"embeddings of {found.made} made backgrounds and of {found.clips} clips{of}"
    return [("remembered as other sounds", what)]


def _left_out(bundle: Bundle) -> list[tuple[str, str]]:
    """Of the data set, since the network was trained: see `training/reexamine.py`."""
    since = bundle.card.training.model_dump().get("left_out_since")
    if since is None:
        return []
    why = "; ".join(f"{row.path}: {row.reason}" for row in bundle.domain.source.left_out)
    counts = f"{since['learnt']} that it has learnt, {since['examined']} of its exam"
    return [("left out since it was trained", f"{counts} ({why})")]
