"""A bundle's model card for people: Markdown and two plots (Mitchell et al. 2019, "Model cards for
model reporting").

All figures are the bundle's own; what a clip costs is measured here and now, and clips of other
data sets are heard where those are at hand. Evaluations by other protocols are taken from
`models/cards/<domain>.protocols.json`: see `training/assess/crossval_figures.py`.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.errors import InvalidParameter
from models.bundle import Bundle
from models.card import CARD
from models.metrics import ECE_BINS, ClassFigures, Interval
from models.runtime import OnnxModel
from training.assess.background import ask_backgrounds
from training.assess.card.cost import clip_ms, window_ms
from training.assess.crossval_figures import WORDS, protocols_file, with_interval
from training.assess.reliability import (
    ForeignClips,
    exam_chance_error,
    exam_groups,
    exam_intervals,
    rejected_foreign_clips,
    reliability,
)

CARDS = Path(__file__).resolve().parents[3] / "models" / "cards"
OTHERS = (  # tables of other protocols, and their columns
    {"accuracy": "accuracy", "macro_f1": "macro-F1"},
    {"dice": "Dice", "iou": "IoU"},
    {"unknown_strangers": "strangers called unknown", "unknown_known": "others called unknown"},
)

NEVER_UNKNOWN = {  # by task, and why
    "segment": "No photograph is called unknown: a pixel that is nothing in particular is part of "
    "the ground, which is an answer. Nor is any asserted: how much of a mask is right cannot be "
    "said of the photograph as a whole.",
}

Lines = list[str]


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
        *_protocols(protocols_file(CARDS, name), bundle.domain.recipe_digest),
        *summary(bundle),
        *labels(bundle),
        *_confidence(bundle),
        *_unknown(bundle, model, strangers),
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


def summary(bundle: Bundle) -> Lines:
    """The exam in a table; the same bundle always gives the same lines."""
    exam, card = bundle.exam(), bundle.card.metrics
    rows = [(WORDS[name], *_spread(each)) for name, each in exam_intervals(bundle).items()]
    if card.masks:
        rows += [("Dice", *_spread(card.masks.dice)), ("IoU", *_spread(card.masks.iou))]
    rows.append(("calibration error", _number(card.exam.ece), ""))
    if card.exam.reliability:
        above = max(0.0, card.exam.ece - exam_chance_error(bundle))
        rows.append(("of it above chance", _number(above), ""))
    groups, clips = len(set(exam_groups(exam).tolist())), len(exam.clip_ids)
    what = "All pixels count for Dice and IoU, remembered ones for the others. " * bool(card.masks)
    return [
        "## Exam",
        "",
        f"{clips} clips in {groups} groups that nobody learnt from. {what}Intervals are 95 %, by "
        "bootstrap over groups: the clips of a group go together.",
        "",
        *_table(("figure", "value", "95 % interval"), rows),
    ]


def labels(bundle: Bundle) -> Lines:
    needed = bundle.card.assert_at
    heads = ("label", "precision", "recall", "F1", "clips", *(("asserted from",) if needed else ()))
    rows = [
        (name, *_figures(each), *((_least(needed[name]),) if needed else ()))
        for name, each in bundle.card.metrics.exam.per_class.items()
    ]
    name = bundle.domain.name
    return [*_table(heads, rows), f"![Confusion]({name}-confusion.png)", ""]


def _figures(each: ClassFigures) -> tuple[str, ...]:
    return (*map(_number, (each.precision, each.recall, each.f1)), str(each.support))


def _least(confidence: float | None) -> str:
    return "never" if confidence is None else f"{confidence:.2f}"


def _protocols(file: Path, recipe: str) -> Lines:
    if not file.is_file():
        return []
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        tables = [_others(entries, columns, recipe) for columns in OTHERS]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameter(
            f"{file.name} must be a list of entries such as "
            '{"protocol": "random split", "note": "...", "figures": {"accuracy": '
            '{"value": 0.9, "low": 0.8, "high": 1.0}, "macro_f1": {...}}}'
        ) from error
    return [
        "## Clips of folds",
        "",
        "Of models that were trained like this one, each asked about what it was not given: closer "
        "to what a stranger's clip will meet than one exam.",
        "",
        *(line for lines in tables for line in lines),
    ]


def _others(entries: Any, columns: Mapping[str, str], recipe: str) -> Lines:
    """Those that have such figures; an entry without any stands in the first table."""
    rows = [
        _protocol(entry, columns, recipe)
        for entry in entries
        if (entry["figures"] or OTHERS[0]).keys() & columns.keys()
    ]
    return _table(("protocol", *columns.values(), "note"), rows) if rows else []


def _protocol(entry: Mapping[str, Any], columns: Iterable[str], recipe: str) -> tuple[str, ...]:
    found = {name: with_interval(figure) for name, figure in entry["figures"].items()}
    earlier = " (an earlier recipe)" * (entry.get("recipe", recipe) != recipe)
    cells = (found.get(name, "") for name in columns)
    return (entry["protocol"], *cells, entry.get("note", "") + earlier)


def _confidence(bundle: Bundle) -> Lines:
    exam = bundle.card.metrics.exam
    said = (
        f"Calibration error {_number(exam.ece)} (ECE, {ECE_BINS} bins) at temperature "
        f"{bundle.card.temperature:.3f}, fitted on validation clips."
    )
    if exam.reliability:
        said += (
            " A model that is right exactly as often as it is sure would show "
            f"{_number(exam_chance_error(bundle))} in the mean, by chance, on as many groups."
        )
    return [
        "## Confidence",
        "",
        said,
        "",
        f"![Reliability]({bundle.domain.name}-reliability.png)",
        "",
    ]


def _unknown(bundle: Bundle, model: OnnxModel, strangers: Sequence[ForeignClips]) -> Lines:
    if why := NEVER_UNKNOWN.get(bundle.domain.task):
        return ["## Unknown, and asserted", "", why, ""]
    novelty, found = bundle.card.novelty, reliability(model, bundle.exam())
    if novelty is None or found is None:
        return []
    rows = [
        (f"validation clips ({novelty.clips})", _percent(novelty.false_alarms)),
        ("exam clips", _percent(found.unknown)),
        *((f"{each.dataset} ({each.clips} clips)", _percent(each.unknown)) for each in strangers),
    ]
    nothing = ask_backgrounds(model)
    assert nothing is not None  # what has novelty hears
    rows.append(
        (
            f"silence, hiss, rumble and hum ({nothing.clips})",
            _percent(nothing.unknown / nothing.clips),
        )
    )
    others = f", and {_percent(found.unsure_right)} of the others"
    unsure = "" if math.isnan(found.unsure_right) else others
    return [
        "## Unknown, and asserted",
        "",
        "A clip is unknown when it lies farther from all remembered clips of the label it is "
        "answered with than validation clips do, or nearer to a sound that no label is for. Clips "
        "of other data sets should be:",
        "",
        *_table(("clips of", "called unknown"), rows),
        "An answer is asserted when the clip is known and the answer as sure as answers of its "
        f"label have to be {_asserted_by(bundle)}. Of the exam "
        f"{_percent(found.asserted)} are; {_percent(found.sure_right)} of them are right{unsure}. "
        f"While nothing happens {nothing.asserted_per_hour:.0f} an hour are.",
        "",
    ]


def _asserted_by(bundle: Bundle) -> str:
    """See `training/assess/calibration/reviewed_thresholds.py`."""
    reviewed = bundle.card.training.model_dump().get("asserted_by_reviews")
    if reviewed is None:
        return "for a chance of four in five; of all that are, nine in ten are then right"
    return (
        f"to be right in {_percent(reviewed['precision'])} of {reviewed['answers']} reviewed ones, "
        "or on validation clips where too few were reviewed"
    )


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
    return ["## Cost", "", *_table(("what", "cost"), rows)]


def _data(bundle: Bundle) -> Lines:
    card, split = bundle.card, bundle.card.split
    rows = [("data set", card.domain.source.dataset), ("licence", card.licence)]
    if found := card.training.backbone:
        what = f"backbone {found['name']}, `{found['sha256'][:12]}`: {found['licence']}"
        rows.append(("starts from", what))
    rows += _left_out(bundle)
    rows += [
        ("clips", f"{split.train} train, {split.validation} validation, {split.exam} exam"),
        ("made", f"{card.created:%Y-%m-%d} by `{card.mode}`, code {card.code_version}"),
        ("bundle", f"`{bundle.digest[:12]}`"),
    ]
    return ["## Data and licence", "", *_table(("", ""), rows)]


def _left_out(bundle: Bundle) -> list[tuple[str, str]]:
    """Of the data set, since the network was trained: see `training/reexamine.py`."""
    since = bundle.card.training.model_dump().get("left_out_since")
    if since is None:
        return []
    why = "; ".join(f"{row.path}: {row.reason}" for row in bundle.domain.source.left_out)
    counts = f"{since['learnt']} that it has learnt, {since['examined']} of its exam"
    return [("left out since it was trained", f"{counts} ({why})")]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    cells = [heads, ["---"] * len(heads), *rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]


def _spread(each: Interval) -> tuple[str, str]:
    return _number(each.value), f"{each.low:.3f} to {each.high:.3f}"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
