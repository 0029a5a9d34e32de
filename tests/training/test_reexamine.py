"""reexamine.py: what a domain file leaves out is asked and remembered no longer."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.datasets.dataset import from_example
from data.datasets.sources import listed
from data.domains.domain import Domain, ImageDomain
from data.errors import Conflict
from data.quality.copy_pairs import Fingerprints
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import BACKBONE, EXAM, FINGERPRINTS, HEAD, MEMORY
from models.masks import ROWS
from models.runtime import OnnxModel
from models.tensors import exam_bytes, fingerprint_bytes, memory_bytes
from support.inputs.toy_photographs import toy_photo_domain, toy_photographs
from support.tiny import tiny_bundle, tiny_clips, tiny_fields, tiny_files
from training.assess.card.model_card import write_model_card
from training.assess.examine import from_embeddings
from training.reexamine import reexamine

ASKED, LEARNT = "0.png", "17.png"


@pytest.fixture(scope="module")
def domain() -> ImageDomain:
    return toy_photo_domain(epochs=1)


@pytest.fixture(scope="module")
def dataset(domain: ImageDomain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_photographs(tmp_path_factory.mktemp("datasets"), domain)


def without(domain: Domain, *paths: str) -> Domain:
    rows = [{"path": path, "reason": "its mask is another's"} for path in paths]
    source = type(domain.source).model_validate({**domain.source.model_dump(), "left_out": rows})
    return domain.model_copy(update={"source": source})


def digest(path: str, domain: Domain, dataset: Path) -> str:
    return next(from_example(x).sha256 for x in listed(domain, dataset) if x.path.name == path)


def trained(folder: Path, domain: Domain, dataset: Path) -> Bundle:
    """A tiny bundle that asks about the data set's first clips, and remembers its last ones."""
    exam, probe = tiny_bundle(folder, domain).exam_and_probe()
    memory, ids = (
        tiny_clips(domain, "memory"),
        [from_example(x).sha256 for x in listed(domain, dataset)],
    )
    count = len(exam.clip_ids)
    prints = Fingerprints("grey_picture", tuple(bytes([n]) for n in range(count)))
    files = tiny_files(domain) | {
        EXAM: exam_bytes(replace(exam, clip_ids=tuple(ids[:count])), probe),
        MEMORY: memory_bytes(replace(memory, clip_ids=tuple(ids[-count:]))),
        FINGERPRINTS: fingerprint_bytes(prints),
    }
    return write_bundle(folder, card_fields=tiny_fields(domain), files=files)


def test_it_leaves_the_exam_and_the_memory_and_the_card_says_so(
    domain: Domain, dataset: Path, tmp_path: Path
) -> None:
    old = trained(tmp_path / "b", domain, dataset)
    exam, memory = old.exam().clip_ids, old.memory().clip_ids
    reexamine(old, dataset, without(domain, ASKED, LEARNT))
    new = load_bundle(old.path)
    asked, learnt = (digest(path, domain, dataset) for path in (ASKED, LEARNT))
    assert new.exam().clip_ids == tuple(x for x in exam if x != asked)
    assert new.memory().clip_ids == tuple(x for x in memory if x != learnt)
    prints = new.exam_fingerprints()
    assert prints is not None
    assert prints.values[0] == bytes([1])
    assert new.card.split.exam == old.card.split.exam - 1 == len(prints.values)
    assert new.card.metrics.exam == from_embeddings(new)
    assert new.card.metrics.masks is not None
    assert new.card.metrics.masks.photographs == new.card.split.exam
    assert len(new.memory().values) == len(new.memory().clip_ids) * ROWS[domain.task]
    assert all(new.card.files[name] == old.card.files[name] for name in (BACKBONE, HEAD))
    OnnxModel(new).self_test()
    written = write_model_card(new, None, tmp_path / "cards").read_text(encoding="utf-8")
    assert "1 that it has learnt, 1 of its exam" in written
    assert f"{ASKED}: its mask is another's" in written


def test_what_leaves_nothing_out_is_left_as_it_is(
    domain: Domain, dataset: Path, tmp_path: Path
) -> None:
    old = trained(tmp_path / "b", domain, dataset)
    with pytest.raises(Conflict, match="neither remembers nor asks"):
        reexamine(old, dataset, domain)
    assert load_bundle(old.path).digest == old.digest
