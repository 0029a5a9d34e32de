"""The model as HTML: what it learnt from, and its exam, each with one sentence and a chart."""

from serve_app.client.insight_answers import ExamFigures, Insights, RunCurve
from serve_app.ui.figures.charts import bars, confusion, learning_curve
from serve_app.ui.markup import note, score, table, text
from serve_app.ui.words.translate import t, told

CLOSE = 0.03  # between the two, which nobody notices


def shown(found: Insights) -> str:
    parts = [
        _part(t("Clips by label"), _kept_sentence(found), _kept(found)),
        _part(t("The exam"), told(found.exam.sentence), _per_label(found.exam)),
        _part(
            t("What is taken for what"),
            "",
            confusion(list(found.exam.per_class), found.exam.confusion),
        ),
        _part(t("Calibration"), _calibration_sentence(found.exam), _calibration(found.exam)),
        _part(t("Training"), _curve_sentence(found.runs), _curves(found.runs)),
    ]
    if found.features:
        said = map(told, found.features.sentences.values())
        heard = "".join(f"<li>{text(sentence)}</li>" for sentence in said)
        parts.append(
            _part(t("What each label sounds like"), "", f'<ul class="tt-reasons">{heard}</ul>')
        )
    return f'<div class="tt-parts">{"".join(parts)}</div>'


def _part(title: str, sentence: str, inside: str) -> str:
    said = f"<p>{text(sentence)}</p>" if sentence else ""
    return f'<section class="tt-card"><h3>{text(title)}</h3>{said}{inside}</section>'


def _kept_sentence(found: Insights) -> str:
    return f"{told(found.kept.sentence)} {told(found.waiting.sentence)}"


def _kept(found: Insights) -> str:
    """What the serving version remembers, and what is new since."""
    labels = dict.fromkeys([*found.learnt.by_label, *found.kept.by_label])
    rows = []
    for label in labels:
        learnt = found.learnt.by_label.get(label, 0)
        new = found.waiting.by_label.get(label, 0)
        words = t("{learnt:,} learnt", learnt=learnt)
        words += t(", {new:,} new", new=new) if new else ""
        rows.append((label or t("no label yet"), float(learnt + new), words))
    return bars(rows)


def _per_label(exam: ExamFigures) -> str:
    rows = [
        [text(label), score(row.precision), score(row.recall), score(row.f1), str(row.support)]
        for label, row in exam.per_class.items()
    ]
    whole = t(
        "Macro-F1 {macro_f1}, accuracy {accuracy}.",
        macro_f1=score(exam.macro_f1),
        accuracy=score(exam.accuracy),
    )
    heads = [t("Label"), t("Precision"), t("Recall"), "F1", t("Exam clips")]
    listed = table(heads, rows, "")
    return f'<p class="tt-small">{whole}</p>{listed}'


def _calibration_sentence(exam: ExamFigures) -> str:
    whole = sum(one.count for one in exam.reliability)
    if not whole:
        return ""
    confidence = sum(one.count * one.confidence for one in exam.reliability) / whole
    accuracy = sum(one.count * one.accuracy for one in exam.reliability) / whole
    judged = t("well calibrated")
    if confidence > accuracy + CLOSE:
        judged = t("too sure of itself")
    elif accuracy > confidence + CLOSE:
        judged = t("surer than it says")
    return t(
        "Answers are {confidence:.0f} % sure in the mean and right in {accuracy:.0f} %: {judged}.",
        confidence=100 * confidence,
        accuracy=100 * accuracy,
        judged=judged,
    )


def _calibration(exam: ExamFigures) -> str:
    rows = [
        (
            t("{share:.0f} % sure", share=100 * one.confidence),
            one.accuracy,
            t("{share:.0f} % of {count} right", share=100 * one.accuracy, count=one.count),
        )
        for one in exam.reliability
        if one.count
    ]
    return bars(rows, 1.0)


def _curve_sentence(runs: tuple[RunCurve, ...]) -> str:
    losses = [epoch["validation_loss"] for epoch in _epochs(runs) if "validation_loss" in epoch]
    if not losses:
        return ""
    best = losses.index(min(losses)) + 1
    return t(
        "The last full training was best in epoch {best} of {epochs}.",
        best=best,
        epochs=len(losses),
    )


def _curves(runs: tuple[RunCurve, ...]) -> str:
    epochs = _epochs(runs)
    if not epochs:
        return note(t("The model that serves was not trained here: no curves are kept."))
    lines = {
        name: [epoch[f"{part}_loss"] for epoch in epochs if f"{part}_loss" in epoch]
        for name, part in ((t("training"), "train"), (t("validation"), "validation"))
    }
    return learning_curve(
        t("Loss"), {name: line for name, line in lines.items() if line}, len(epochs)
    )


def _epochs(runs: tuple[RunCurve, ...]) -> tuple[dict[str, float], ...]:
    return runs[0].epochs if runs else ()
