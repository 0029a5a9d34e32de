"""While nothing happens nothing is asserted, and the gate sees to it."""

from pathlib import Path

import numpy as np
import pytest

from data.domains.domain import load_domains, of_sounds
from models.bundle import PRETRAINED, load_bundle
from models.runtime import OnnxModel
from support.tiny import tiny_bundle
from training.assess.background import BackgroundAnswers, ask_backgrounds, asserts_more

DOMAINS = load_domains()
HEARD = [name for name, domain in DOMAINS.items() if domain.modality == "audio"]


@pytest.mark.parametrize("name", HEARD)
def test_the_shipped_models_assert_nothing_while_nothing_happens(name: str) -> None:
    found = ask_backgrounds(OnnxModel(load_bundle(PRETRAINED / name)))
    assert found is not None
    assert found.asserted == ()
    assert found.unknown >= 0.9 * found.clips


def test_a_model_that_is_sure_of_hiss_where_the_champion_was_not_is_refused(tmp_path: Path) -> None:
    domain = DOMAINS["faults"]
    deaf = tiny_bundle(
        tmp_path / "b", domain, always="fluid", assert_at=dict.fromkeys(domain.labels, 0.3)
    )
    (objection,) = asserts_more(deaf, load_bundle(PRETRAINED / "faults"))
    assert "on which nothing happens" in objection
    assert objection.endswith("(fluid), the champion 0")
    assert asserts_more(deaf, deaf) == asserts_more(deaf, None) == ()


def test_as_many_as_are_allowed_may_be_asserted(tmp_path: Path) -> None:
    domain = DOMAINS["faults"]
    sure = dict.fromkeys(domain.labels, 0.3)
    deaf = tiny_bundle(tmp_path / "b", domain, always="fluid", assert_at=sure)
    found, champion = ask_backgrounds(OnnxModel(deaf)), load_bundle(PRETRAINED / "faults")
    assert found is not None
    many = len(found.asserted)
    assert found.embeddings.shape == (many, domain.network.embedding)
    assert asserts_more(deaf, champion, many) == ()
    assert len(asserts_more(deaf, champion, many - 1)) == 1


def test_that_nothing_is_wrong_is_right_while_nothing_happens(tmp_path: Path) -> None:
    domain = of_sounds(DOMAINS["faults"])
    calm = tiny_bundle(
        tmp_path / "b", domain, always="normal", assert_at=dict.fromkeys(domain.labels, 0.3)
    )
    assert domain.rest_label == "normal"
    assert asserts_more(calm, load_bundle(PRETRAINED / "faults")) == ()


def test_none_of_a_minute_rules_out_no_more_than_three_a_minute() -> None:
    """The exact bounds of Poisson counts 0 and 2."""
    nothing = np.zeros((0, 4), np.float32)
    quiet = BackgroundAnswers(60, hours=1 / 60, unknown=60, asserted=(), embeddings=nothing)
    assert quiet.most_per_hour == pytest.approx(60 * 2.996, rel=1e-3)
    loud = BackgroundAnswers(60, 1 / 60, 58, ("fluid", "fluid"), np.zeros((2, 4), np.float32))
    assert loud.most_per_hour == pytest.approx(60 * 6.296, rel=1e-3)


def test_of_photographs_nobody_asks(tmp_path: Path) -> None:
    assert ask_backgrounds(OnnxModel(tiny_bundle(tmp_path / "b", DOMAINS["cracks"]))) is None
