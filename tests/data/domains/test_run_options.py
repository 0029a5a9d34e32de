"""run_options.py: what a retrain may do otherwise than its domain says."""

from typing import Any

import pytest

from data.domains.domain import Mode, load_domains
from data.domains.run_options import RunOptions
from data.errors import InvalidParameter

NONE: dict[str, Any] = dict.fromkeys(RunOptions.model_fields) | {"dry_run": False}


def test_a_run_carries_only_what_differs_from_its_domain() -> None:
    options = RunOptions(epochs=3, learning_rate=0.01, dry_run=True)
    assert options.changed() == {"epochs": 3, "learning_rate": 0.01, "dry_run": True}
    assert options.arguments() == ["--epochs", "3", "--learning-rate", "0.01", "--dry-run"]
    faults = load_domains(names=("faults",))["faults"]
    training = options.applied(faults).training
    assert (training.epochs, training.learning_rate) == (3, 0.01)
    assert training.batch_size == faults.training.batch_size
    assert RunOptions().applied(faults) is faults


@pytest.mark.parametrize(
    ("given", "mode", "words"),
    [
        ({"epochs": 0}, "full", "epochs"),
        ({"epochs": 10**6}, "full", "epochs"),
        ({"learning_rate": 5.0}, "full", "learning_rate"),
        ({"workers": -1}, "full", "workers"),
        ({"snapshot": "../../etc"}, "full", "snapshot"),
        ({"epochs": 3}, "teach", "a teach refits the head"),
        ({"snapshot": "0" * 64, "dry_run": True}, "full", "dry run"),
    ],
)
def test_what_is_out_of_bounds_or_of_another_kind_of_retrain_is_refused_in_words(
    given: dict[str, Any], mode: Mode, words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        RunOptions.checked(NONE | given, mode)
