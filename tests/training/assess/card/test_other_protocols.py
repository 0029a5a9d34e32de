"""A model card's tables of other protocols: what was found, and by which recipe."""

import json
from pathlib import Path

import pytest

from data.domains.domain import load_domains
from support.tiny import tiny_bundle
from training.assess.card import model_card
from training.assess.card.model_card import write_model_card

DOMAIN = load_domains(names=("faults",))["faults"]
SPREAD = {"value": 0.61, "low": 0.5, "high": 0.7}


def test_unknown_rates_have_columns_of_their_own_and_an_earlier_recipe_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_card, "CARDS", tmp_path)
    rates = {"unknown_strangers": SPREAD, "unknown_known": SPREAD}
    entries = [
        {"protocol": "group split", "figures": {"accuracy": SPREAD}, "note": "old", "recipe": "0"},
        {"protocol": "random split", "figures": {}, "note": "from before recipes were told"},
        {
            "protocol": "unseen label",
            "figures": rates,
            "note": "new",
            "recipe": DOMAIN.recipe_digest,
        },
    ]
    (tmp_path / "faults.protocols.json").write_text(json.dumps(entries))
    bundle = tiny_bundle(tmp_path / "bundle", DOMAIN)
    written = write_model_card(bundle, None, tmp_path).read_text(encoding="utf-8")
    assert "| group split | 0.610 (0.500 to 0.700) |  | old (an earlier recipe) |" in written
    assert "| random split |  |  | from before recipes were told |" in written
    assert "| protocol | strangers called unknown | others called unknown | note |" in written
    rate = "0.610 (0.500 to 0.700)"
    assert f"| unseen label | {rate} | {rate} | new |" in written


def test_folds_that_start_from_something_else_are_not_told_as_of_this_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DOMAIN.start_from == "sounds"
    monkeypatch.setattr(model_card, "CARDS", tmp_path)
    recipe = DOMAIN.recipe_digest
    told = {"figures": {"accuracy": SPREAD}, "note": "", "recipe": recipe}
    starts = {"scratch": None, "same": "sounds"}
    entries = [{"protocol": name, "start": start, **told} for name, start in starts.items()]
    (tmp_path / "faults.protocols.json").write_text(json.dumps(entries))
    bundle = tiny_bundle(tmp_path / "bundle", DOMAIN)
    written = write_model_card(bundle, None, tmp_path).read_text(encoding="utf-8")
    found = "0.610 (0.500 to 0.700)"
    assert f"| scratch | {found} |  |  (this model starts from sounds) |" in written
    assert f"| same | {found} |  |  |" in written
