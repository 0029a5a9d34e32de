import numpy as np
import pytest

from models.calibration import COLDEST, HOTTEST, fit_temperature, fit_unknown_threshold, softmax


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_spoilt_the_scores_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 5))
    chances = softmax(honest).cumsum(axis=1)
    labels = (rng.random((4000, 1)) > chances).sum(axis=1)
    assert fit_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.1)


def test_temperature_leaves_the_answer_as_it_is() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (50, 4))
    labels = logits.argmax(axis=1)
    fitted = fit_temperature(logits, labels)
    assert (softmax(logits / fitted).argmax(axis=1) == labels).all()


def test_a_perfect_score_does_not_make_the_model_infinitely_sure() -> None:
    logits = np.eye(4)[np.arange(100) % 4] * 4
    fitted = fit_temperature(logits, np.arange(100) % 4)
    assert COLDEST < fitted < HOTTEST
    assert softmax(logits / fitted).max() < 0.995


def test_without_clips_nothing_is_changed_and_nothing_is_unknown() -> None:
    assert fit_temperature(np.empty((0, 3)), np.empty(0, np.int64)) == 1
    assert fit_unknown_threshold(np.empty((0, 3))) == 0


@pytest.mark.parametrize("false_alarm", [0.01, 0.05, 0.2])
def test_no_more_known_clips_are_called_unknown_than_allowed(false_alarm: float) -> None:
    probabilities = softmax(np.random.default_rng(2).normal(0, 2, (137, 6)))
    threshold = fit_unknown_threshold(probabilities, false_alarm)
    alarms = (probabilities.max(axis=1) < threshold).mean()
    assert false_alarm - 0.02 <= alarms <= false_alarm


def test_softmax_keeps_float32_and_survives_large_scores() -> None:
    seen = softmax(np.array([[1000.0, 999.0, -1000.0]], np.float32))
    assert seen.dtype == np.float32
    assert seen.sum() == pytest.approx(1)
