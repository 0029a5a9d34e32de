"""What models of folds said is gathered from those that were kept."""

from pathlib import Path

import numpy as np
import pytest

from data.datasets.dataset import from_example
from data.datasets.sources import listed
from data.domains.domain import Domain, load_domains
from data.errors import Conflict, InvalidParameter
from models.bundle import rewrite_bundle
from models.card import MEMORY
from models.tensors import Embeddings, memory_bytes
from support.inputs.toy_dataset import toy_dataset, toy_domain
from support.tiny import tiny_bundle, tiny_clips
from training.assess.folds import GROUP, Fold, folds
from training.job.fold_answers import gather
from training.job.fold_predictions import digest


@pytest.fixture
def domain() -> Domain:
    found = toy_domain(load_domains(names=("faults",))["faults"], epochs=1)
    training = found.training.model_copy(update={"start_from": None})
    return found.model_copy(update={"training": training})


@pytest.fixture
def kept(tmp_path: Path, domain: Domain) -> list[Fold]:
    """Folds whose models lie in `tmp_path` as telltale crossval --keep leaves them."""
    root = toy_dataset(tmp_path / "datasets", domain)
    train = [row for row in listed(domain, root) if row.split == "train"]
    found = folds(domain, train, GROUP, 2)
    for fold in found:
        sides = (tuple(map(from_example, rows)) for rows in (fold.train, fold.exam, ()))
        folder = tmp_path / f"{fold.name}-{digest(domain, sides)}.bundle"
        tiny, memory = tiny_bundle(tmp_path / fold.name, domain), tiny_clips(domain, "memory")
        ids = tuple(from_example(row).sha256 for row in fold.train)
        rows = slice(len(ids))
        memory = Embeddings(memory.values[rows], memory.labels[rows], ids)
        rewrite_bundle(tiny, folder, files={MEMORY: memory_bytes(memory)})
    return found


def test_every_clip_is_asked_once_of_the_model_that_lacked_it(
    tmp_path: Path, domain: Domain, kept: list[Fold]
) -> None:
    bundle = tiny_bundle(tmp_path / "ours", domain)
    answers = gather(bundle, kept, tmp_path, "--folds group")
    asked = [row for fold in kept for row in fold.exam]
    assert answers.logits.shape == (len(asked), len(domain.labels))
    assert answers.labels.tolist() == [domain.label_index(row.label or "") for row in asked]
    assert answers.folds.tolist() == [0] * len(kept[0].exam) + [1] * len(kept[1].exam)
    assert len(np.unique(answers.groups)) == len({row.group for row in asked})
    assert answers.clip_ids == tuple(from_example(row).sha256 for row in asked)


def test_models_that_were_not_kept_or_remember_other_things_are_refused_in_words(
    tmp_path: Path, domain: Domain, kept: list[Fold]
) -> None:
    hiss = tiny_clips(domain, "memory").values[:2]
    other = tiny_bundle(tmp_path / "ours", domain, others=hiss)
    with pytest.raises(Conflict, match="only one remembers sounds"):
        gather(other, kept, tmp_path, "--folds group")
    with pytest.raises(InvalidParameter, match="crossval faults --folds group --keep"):
        gather(other, kept, tmp_path / "nowhere", "--folds group")
