"""The model as HTML: what it learnt from, and its exam, each with one sentence and a chart."""

from serve_app.client.insight_answers import ExamFigures, Insights, RunCurve
from serve_app.ui.figures.charts import bars, confusion, learning_curve
from serve_app.ui.markup import note, score, table, text

SURE = "Answers are {confidence:.0%} sure in the mean and right in {accuracy:.0%}: {judged}."
CLOSE = 0.03  # between the two, which nobody notices


def shown(found: Insights) -> str:
    parts = [
        _part("Clips by label", _kept_sentence(found), _kept(found)),
        _part("The exam", found.exam.sentence, _per_label(found.exam)),
        _part(
            "What is taken for what",
            "",
            confusion(list(found.exam.per_class), found.exam.confusion),
        ),
        _part("Calibration", _calibration_sentence(found.exam), _calibration(found.exam)),
        _part("Training", _curve_sentence(found.runs), _curves(found.runs)),
    ]
    if found.features:
        heard = "".join(f"<li>{text(said)}</li>" for said in found.features.sentences.values())
        parts.append(
            _part("What each label sounds like", "", f'<ul class="tt-reasons">{heard}</ul>')
        )
    return f'<div class="tt-parts">{"".join(parts)}</div>'


def _part(title: str, sentence: str, inside: str) -> str:
    said = f"<p>{text(sentence)}</p>" if sentence else ""
    return f'<section class="tt-card"><h3>{text(title)}</h3>{said}{inside}</section>'


def _kept_sentence(found: Insights) -> str:
    return f"{found.kept.sentence} {found.waiting.sentence}"


def _kept(found: Insights) -> str:
    """What the serving version remembers, and what is new since."""
    labels = dict.fromkeys([*found.learnt.by_label, *found.kept.by_label])
    rows = []
    for label in labels:
        learnt = found.learnt.by_label.get(label, 0)
        new = found.waiting.by_label.get(label, 0)
        words = f"{learnt:,} learnt" + (f", {new:,} new" if new else "")
        rows.append((label or "no label yet", float(learnt + new), words))
    return bars(rows)


def _per_label(exam: ExamFigures) -> str:
    rows = [
        [text(label), score(row.precision), score(row.recall), score(row.f1), str(row.support)]
        for label, row in exam.per_class.items()
    ]
    whole = f"Macro-F1 {score(exam.macro_f1)}, accuracy {score(exam.accuracy)}."
    listed = table(["Label", "Precision", "Recall", "F1", "Exam clips"], rows, "")
    return f'<p class="tt-small">{whole}</p>{listed}'


def _calibration_sentence(exam: ExamFigures) -> str:
    whole = sum(one.count for one in exam.reliability)
    if not whole:
        return ""
    confidence = sum(one.count * one.confidence for one in exam.reliability) / whole
    accuracy = sum(one.count * one.accuracy for one in exam.reliability) / whole
    judged = "well calibrated"
    if abs(confidence - accuracy) > CLOSE:
        judged = "too sure of itself" if confidence > accuracy else "surer than it says"
    return SURE.format(confidence=confidence, accuracy=accuracy, judged=judged)


def _calibration(exam: ExamFigures) -> str:
    rows = [
        (f"{one.confidence:.0%} sure", one.accuracy, f"{one.accuracy:.0%} of {one.count} right")
        for one in exam.reliability
        if one.count
    ]
    return bars(rows, 1.0)


def _curve_sentence(runs: tuple[RunCurve, ...]) -> str:
    losses = [epoch["validation_loss"] for epoch in _epochs(runs) if "validation_loss" in epoch]
    if not losses:
        return ""
    best = losses.index(min(losses)) + 1
    return f"The last full training was best in epoch {best} of {len(losses)}."


def _curves(runs: tuple[RunCurve, ...]) -> str:
    epochs = _epochs(runs)
    if not epochs:
        return note("The model that serves was not trained here: no curves are kept.")
    lines = {
        name: [epoch[f"{part}_loss"] for epoch in epochs if f"{part}_loss" in epoch]
        for name, part in (("training", "train"), ("validation", "validation"))
    }
    return learning_curve("Loss", {name: line for name, line in lines.items() if line}, len(epochs))


def _epochs(runs: tuple[RunCurve, ...]) -> tuple[dict[str, float], ...]:
    return runs[0].epochs if runs else ()
