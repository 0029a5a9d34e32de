"""fingerprint.py: a bundle that was made before knows copies of its exam's clips from then on."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.datasets.dataset import from_example
from data.domains.domain import Domain, load_domains
from data.errors import Conflict
from data.quality.fingerprints import is_copy, kind_of
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import EXAM, FINGERPRINTS
from models.tensors import exam_bytes
from support.inputs.toy_dataset import toy_dataset, toy_domain
from support.tiny import tiny_bundle, tiny_fields, tiny_files
from training.fingerprint import fingerprint
from training.screening.exam_guard import dataset_rows


@pytest.fixture(scope="module")
def domain() -> Domain:
    return toy_domain(load_domains(names=("faults",))["faults"], epochs=1)


@pytest.fixture(scope="module")
def dataset(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_dataset(tmp_path_factory.mktemp("datasets"), domain)


def examined(folder: Path, domain: Domain, dataset: Path) -> Bundle:
    """A tiny bundle whose exam is of the data set's first clips."""
    tiny = tiny_bundle(folder, domain)
    exam, probe = tiny.exam_and_probe()
    rows = dataset_rows(domain, dataset)[: len(exam.clip_ids)]
    ids = tuple(from_example(row).sha256 for row in rows)
    files = tiny_files(domain) | {EXAM: exam_bytes(replace(exam, clip_ids=ids), probe)}
    return write_bundle(folder, card_fields=tiny_fields(domain), files=files)


def test_its_exam_gets_fingerprints_and_all_else_stays(
    domain: Domain, dataset: Path, tmp_path: Path
) -> None:
    old = examined(tmp_path / "b", domain, dataset)
    assert old.exam_fingerprints() is None
    new = fingerprint(old, dataset)
    prints = load_bundle(new.path).exam_fingerprints()
    assert prints is not None
    assert set(new.card.files) - set(old.card.files) == {FINGERPRINTS}
    raw = (
        dataset / domain.source.dataset / dataset_rows(domain, dataset)[0].path.name
    ).read_bytes()
    assert is_copy(kind_of(domain).make(raw, domain), prints, domain)


def test_clips_that_the_data_set_lacks_are_named(
    domain: Domain, dataset: Path, tmp_path: Path
) -> None:
    old = tiny_bundle(tmp_path / "b", domain)
    with pytest.raises(Conflict, match="lacks 24 of the 24 clips"):
        fingerprint(old, dataset)
    assert load_bundle(old.path).digest == old.digest
