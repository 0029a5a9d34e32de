"""gate.py: when a challenger may replace the champion."""

import time
from dataclasses import replace

import numpy as np
import pytest

from data.domains.sections import GateSpec
from training.assess.gate import ExamPredictions, judge

NAMES = ("normal", "fluid", "mechanical")
SPEC = GateSpec(bootstrap_samples=1000, max_macro_f1_drop=0.02, max_class_f1_drop=0.15)


def exam(
    clips: int, wrong: int, *, only: int | None = None, names: str = "clip"
) -> ExamPredictions:
    """`wrong` mistakes, the first clips' (of the label `only`); the same clips each time."""
    labels = np.arange(clips) % len(NAMES)
    answers = labels.copy()
    places = np.flatnonzero(labels == only) if only is not None else np.arange(clips)
    answers[places[:wrong]] = (answers[places[:wrong]] + 1) % len(NAMES)
    return ExamPredictions(tuple(f"{names}{i}" for i in range(clips)), labels, answers)


def test_an_equal_challenger_passes() -> None:
    verdict = judge(exam(90, 20), exam(90, 20), NAMES, SPEC)
    assert verdict.promoted
    assert "+0.000" in verdict.reasons[0]


def test_a_better_challenger_passes_with_its_figures() -> None:
    verdict = judge(exam(90, 9), exam(90, 18), NAMES, SPEC)
    assert verdict.promoted
    assert verdict.reasons[0].startswith("macro-F1 0.900 against the champion's 0.800 (+0.100, ")
    assert verdict.reasons[0].endswith(
        "on 90 exam clips in 90 groups, which know a model's macro-F1 to \N{PLUS-MINUS SIGN}0.082"
    )


def test_a_challenger_worse_than_allowed_is_refused_and_told_by_how_much() -> None:
    verdict = judge(exam(90, 18), exam(90, 9), NAMES, SPEC)
    assert not verdict.promoted
    assert "macro-F1 falls by 0.100, more than the 0.02 allowed" in verdict.reasons


def test_a_small_loss_that_the_exam_is_sure_of_is_refused() -> None:
    verdict = judge(exam(3000, 345), exam(3000, 300), NAMES, SPEC)
    assert not verdict.promoted
    assert any("leaves no doubt" in reason for reason in verdict.reasons)


def test_a_small_loss_that_may_be_chance_is_allowed() -> None:
    assert judge(exam(90, 10), exam(90, 9), NAMES, SPEC).promoted


def test_small_losses_add_up_since_the_last_full_training() -> None:
    """Ten of 90 clips wrong, then eleven, then twelve: each step is allowed, and not all."""
    anchor, taught, again = exam(90, 10), exam(90, 11), exam(90, 12)
    assert judge(taught, anchor, NAMES, SPEC, anchor).promoted
    assert judge(again, taught, NAMES, SPEC).promoted
    verdict = judge(again, taught, NAMES, SPEC, anchor)
    assert not verdict.promoted
    assert verdict.reasons[-1] == (
        "since the last full training macro-F1 falls by 0.022, more than the 0.02 allowed"
    )


def test_the_right_answers_that_it_breaks_are_named_beside_how_many_it_mends() -> None:
    champion, challenger = exam(90, 3), exam(90, 9)
    mended = challenger.answers.copy()
    mended[:2] = challenger.labels[:2]
    verdict = judge(replace(challenger, answers=mended), champion, NAMES, SPEC)
    assert verdict.reasons[1] == (
        "it mends 2 wrong answers and breaks 6 right ones: clip3 (normal), clip4 (fluid), "
        "clip5 (mechanical), clip6 (normal), clip7 (fluid), ..."
    )
    assert "breaks none" in judge(exam(90, 3), exam(90, 9), NAMES, SPEC).reasons[1]


def test_one_label_may_not_pay_for_the_others() -> None:
    verdict = judge(exam(90, 17, only=1), exam(90, 17), NAMES, SPEC)
    assert not verdict.promoted
    assert any(reason.startswith("F1 of ") for reason in verdict.reasons)


def test_only_clips_that_both_have_answered_count() -> None:
    ours, theirs = exam(90, 45), exam(60, 30)
    assert "on 60 exam clips" in judge(ours, theirs, NAMES, SPEC).reasons[0]


def test_two_exams_without_a_common_clip_prove_nothing() -> None:
    assert not judge(exam(90, 0), exam(90, 80, names="other"), NAMES, SPEC).promoted


@pytest.mark.parametrize(("wrong", "passes"), [(20, True), (80, False)])
def test_the_first_model_must_beat_chance(wrong: int, passes: bool) -> None:
    assert judge(exam(90, wrong), None, NAMES, SPEC).promoted is passes


def test_the_verdict_does_not_depend_on_luck() -> None:
    assert judge(exam(90, 11), exam(90, 9), NAMES, SPEC) == judge(
        exam(90, 11), exam(90, 9), NAMES, SPEC
    )


@pytest.mark.perf
def test_a_verdict_on_an_exam_of_hundreds_takes_a_fraction_of_a_second() -> None:
    started = time.process_time()
    judge(exam(600, 60), exam(600, 50), NAMES, SPEC)
    assert time.process_time() - started < 2


def test_a_label_without_exam_clips_does_not_count_as_a_failure() -> None:
    verdict = judge(exam(90, 9), exam(90, 18), (*NAMES, "squeak"), SPEC)
    assert verdict.reasons[0].startswith("macro-F1 0.900 against the champion's 0.800 (+0.100, ")


def test_clips_are_drawn_and_not_the_places_asked_about_in_them() -> None:
    """The pixels of one photograph err together: a hundred of them are not a hundred clips."""
    few, many = exam(90, 12), exam(90, 9)

    def repeated(paper: ExamPredictions) -> ExamPredictions:
        labels, answers = (np.repeat(ids[:, None], 50, 1) for ids in (paper.labels, paper.answers))
        return ExamPredictions(paper.clip_ids, labels, answers)

    assert judge(repeated(few), repeated(many), NAMES, SPEC) == judge(few, many, NAMES, SPEC)
