"""Answers that are kept are those of one recipe and one split, and of no other."""

from dataclasses import replace

import pytest

from data.datasets.dataset import LabelledClip
from data.domains.domain import Domain, load_domains
from training.job.fold_predictions import digest

DOMAIN = load_domains(names=("faults",))["faults"]


def clip(name: str) -> LabelledClip:
    return LabelledClip(name, "fluid", name, "", None)


SIDES = ((clip("a"), clip("b")), (clip("c"),), (clip("d"),))


def with_training(**changed: object) -> Domain:
    training = DOMAIN.training.model_copy(update=changed)
    return DOMAIN.model_copy(update={"training": training})


@pytest.mark.parametrize(
    "sides",
    [
        (SIDES[0][:1], *SIDES[1:]),
        (SIDES[0], (clip("e"),), SIDES[2]),
        (*SIDES[:2], ()),
        (SIDES[0], (replace(clip("c"), label="normal"),), SIDES[2]),
    ],
)
def test_another_split_has_answers_of_its_own(sides: tuple[tuple[LabelledClip, ...], ...]) -> None:
    assert digest(DOMAIN, sides) != digest(DOMAIN, SIDES)


def test_another_recipe_has_answers_of_its_own() -> None:
    assert digest(with_training(epochs=3), SIDES) != digest(DOMAIN, SIDES)
    assert digest(DOMAIN.model_copy(), SIDES) == digest(DOMAIN, SIDES)


def test_what_is_unknown_by_other_sounds_has_answers_of_its_own() -> None:
    fewer = DOMAIN.model_copy(update={"other_sounds": ()})
    assert digest(fewer, SIDES) != digest(DOMAIN, SIDES)


def test_a_recipe_is_what_is_learnt_by_and_neither_words_nor_first_weights() -> None:
    recipe = DOMAIN.recipe_digest
    assert len(recipe) == 12
    assert DOMAIN.model_copy(update={"title": "Hums"}).recipe_digest == recipe
    assert with_training(start_from="sounds").recipe_digest == recipe
    assert DOMAIN.model_copy(update={"labels": DOMAIN.labels[1:]}).recipe_digest != recipe
