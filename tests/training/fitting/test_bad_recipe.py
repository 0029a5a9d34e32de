"""A recipe that cannot work is refused with its file, its key and what would be right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from data.errors import InvalidDomain, InvalidParameter
from support.fakes.own_files import changed
from training.fitting.backbone_recipe import RECIPES, as_domain, load_recipe


def written(folder: Path, key: str, value: Any) -> str:
    raw = yaml.safe_load((RECIPES / "sounds.yaml").read_text(encoding="utf-8"))
    return str(changed(folder, raw, {key: value}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("features.fmax_hz", 9000, r"mine\.yaml: features: need .* fmax_hz <= 8000"),
        ("network.kind", "unet", r"mine\.yaml: key 'network\.kind' must be one of cnn"),
        ("network.depth", 3, r"mine\.yaml: unknown key 'network\.depth'; accepted here: channels"),
        ("datasets", [], r"mine\.yaml: unknown key 'datasets'; accepted here: data_sets"),
        ("data_sets", [], r"mine\.yaml: key 'data_sets': .* at least 1 item"),
        ("data_sets", ["cracks"], r"cracks is about photographs"),
    ],
)
def test_a_wrong_recipe_is_refused_in_words(
    tmp_path: Path, key: str, value: Any, words: str
) -> None:
    file = written(tmp_path, key, value)
    with pytest.raises((InvalidDomain, InvalidParameter), match=words):
        as_domain(load_recipe(file), "mine", ("bark", "hum"))


def test_what_a_recipe_says_takes_the_place_of_what_its_first_data_set_says(tmp_path: Path) -> None:
    domain = as_domain(load_recipe(written(tmp_path, "training.epochs", 3)), "mine", ("a", "b"))
    assert domain.training.epochs == 3
    assert domain.labels == ("a", "b")
