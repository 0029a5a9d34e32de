"""The model as HTML: what it learnt from, and its exam, each with one sentence and a chart."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from serve_app.client.insight_answers import (
    ExamFigures,
    FeatureMeans,
    FoldFigures,
    Insights,
    RunCurve,
)
from serve_app.ui.figures.charts import bars, confusion, learning_curve
from serve_app.ui.figures.palette_png import strips
from serve_app.ui.markup import named, note, percent, plain, score, sideways, text
from serve_app.ui.words.translate import number, t, told

CLOSE = 0.03  # between the two, which nobody notices


def shown(found: Insights) -> str:
    parts = [
        _part(t("Clips by label"), _kept_sentence(found), _kept(found)),
        _part(t("The exam"), plain(told(found.exam.sentence)), _per_label(found.exam)),
        _part(
            t("What is taken for what"),
            _confusion_sentence(found.exam),
            confusion(list(map(plain, found.exam.per_class)), found.exam.confusion),
        ),
        _part(t("Calibration"), _calibration_sentence(found.exam), _calibration(found.exam)),
        _part(t("Training"), _curve_sentence(found.runs), _curves(found.runs)),
    ]
    if found.features:
        parts.append(_part(t("What each label sounds like"), "", _heard(found.features)))
    return f'<div class="tt-parts">{"".join(parts)}</div>'


def _part(title: str, sentence: str, inside: str) -> str:
    said = f"<p>{text(sentence)}</p>" if sentence else ""
    return f'<section class="tt-card"><h3>{text(title)}</h3>{said}{inside}</section>'


def _heard(features: FeatureMeans) -> str:
    """MFCCs are drawn by how the labels differ in each, or the first would outshine all others."""
    said = (plain(told(sentence)) for sentence in features.sentences.values())
    listed = "".join(f"<li>{text(sentence)}</li>" for sentence in said)
    hz = features.mel_hz
    ticks = [f"{number(hz[int(place * (len(hz) - 1))], ',.0f')} Hz" for place in (0, 0.5, 0.9)]
    mel = _strips(features.log_mel, t("The mean log-mel spectrum: bright is loud"), ticks)
    mfcc = np.array([*features.mfcc.values()])
    spread = (mfcc - mfcc.mean(0)) / np.maximum(mfcc.std(0), 1e-9)
    differ = dict(zip(features.mfcc, spread, strict=True))
    last = f"{mfcc.shape[-1]}"
    cepstrum = _strips(
        differ, t("The mean MFCCs: bright is more than others have"), ["1", "", last]
    )
    return f'<ul class="tt-reasons">{listed}</ul>{mel}{cepstrum}'


def _strips(rows: Mapping[str, ArrayLike], title: str, ticks: Sequence[str]) -> str:
    drawn = strips(np.array([*rows.values()], dtype=float))
    lines = "".join(
        f'<div class="tt-gutter tt-name" title="{named(label)}">{named(label)}</div>'
        f'<div class="tt-lane">{line}</div>'
        for label, line in zip(rows, drawn, strict=True)
    )
    places = "".join(
        f'<span style="left:{place}%">{tick}</span>'
        for place, tick in zip((0, 50, 90), ticks, strict=True)
    )
    return (
        f'<figure class="tt-scope" role="img" aria-label="{title}">{lines}'
        f'<div class="tt-gutter"></div><div class="tt-seconds">{places}</div>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def _confusion_sentence(exam: ExamFigures) -> str:
    """What is mistaken most often, of its row."""
    labels = list(exam.per_class)
    mistaken = [
        (count / sum(row), labels[right], labels[answer])
        for right, row in enumerate(exam.confusion)
        for answer, count in enumerate(row)
        if count and right != answer
    ]
    if not mistaken:
        return t("Nothing was taken for something else.")
    share, right_, answer_ = max(mistaken)
    return t(
        "Most often {label} is taken for {other}: {share} of it.",
        label=plain(right_),
        other=plain(answer_),
        share=percent(share),
    )


def _kept_sentence(found: Insights) -> str:
    return plain(f"{told(found.kept.sentence)} {told(found.waiting.sentence)}")


def _kept(found: Insights) -> str:
    """What the serving version remembers, and what is new since."""
    labels = dict.fromkeys([*found.learnt.by_label, *found.kept.by_label])
    rows = []
    for label in labels:
        learnt = found.learnt.by_label.get(label, 0)
        new = found.waiting.by_label.get(label, 0)
        words = t("{learnt:,} learnt", learnt=learnt)
        words += t(", {new:,} new", new=new) if new else ""
        rows.append((plain(label) or t("no label yet"), float(learnt + new), words))
    return bars(rows)


def _per_label(exam: ExamFigures) -> str:
    rows = [
        [named(label), score(row.precision), score(row.recall), score(row.f1), str(row.support)]
        for label, row in exam.per_class.items()
    ]
    whole = t(
        "In its exam: macro-F1 {macro_f1}, accuracy {accuracy}.",
        macro_f1=score(exam.macro_f1),
        accuracy=score(exam.accuracy),
    )
    said = [*_out_of_fold(exam.out_of_fold), whole]
    heads = [t("Label"), t("Precision"), t("Recall"), "F1", t("Exam clips")]
    listed = sideways(t("The exam"), heads, rows)
    return "".join(f'<p class="tt-small">{words}</p>' for words in said) + listed


def _out_of_fold(found: FoldFigures | None) -> list[str]:
    if found is None:
        return []
    return [
        t(
            "On {clips} clips in {groups} groups, each asked of a model that had not learnt it: "
            "macro-F1 {macro_f1} ({low} to {high}).",
            clips=found.clips,
            groups=found.groups,
            macro_f1=score(found.macro_f1.value),
            low=score(found.macro_f1.low),
            high=score(found.macro_f1.high),
        )
    ]


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
