"""A bundle remembers what no label is for: made backgrounds, and kinds that no domain has."""

from pathlib import Path

import pytest

from data.datasets.backgrounds import KINDS
from data.datasets.sources import fine_label
from data.domains.domain import load_domains, of_sounds
from support.inputs.toy_dataset import toy_dataset
from training.assess.bank_facts import MADE_OF_EACH_KIND, bank_facts
from training.job.other_sounds import absent, foreign

FAULTS = of_sounds(load_domains(names=("faults",))["faults"])


def test_foreign_sounds_are_of_recordings_and_kinds_that_no_domain_has(datasets: Path) -> None:
    kinds = {fine_label(row.source, row.label) for row in foreign(FAULTS)}
    assert len(kinds) > 20
    assert not kinds & {"rain", "engine", "dog", "siren", "chirping_birds"}
    assert all(row.split == "train" for row in foreign(FAULTS))


def test_without_their_data_set_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path, FAULTS)))
    assert list(foreign(FAULTS)) == []
    assert absent(FAULTS) == ("esc50",)


def test_a_card_says_what_was_remembered_and_under_which_licence() -> None:
    made = MADE_OF_EACH_KIND * len(KINDS)
    found = bank_facts(FAULTS, made + 494)
    assert found is not None
    assert (found.made, found.clips) == (made, 494)
    assert found.licences == {"esc50": "CC BY-NC 3.0 (ESC-50)"}
    without = bank_facts(FAULTS, made)
    assert without is not None
    assert (without.clips, without.licences) == (0, {})
    assert bank_facts(FAULTS, 0) is None
