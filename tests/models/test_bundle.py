import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from data.domains.domain import Domain, load_domains
from data.errors import BundleError
from data.quality.copy_pairs import Fingerprints
from models.bundle import cached, file_bytes, keep, load_bundle, write_bundle
from models.card import BACKBONE, CARD, EXAM, FINGERPRINTS, HEAD, MEMORY
from models.tensors import Embeddings, Head, fingerprint_bytes, head_bytes, memory_bytes
from support.tiny import tiny_bundle, tiny_clips, tiny_fields, tiny_files, tiny_head

DOMAINS = load_domains()
ONE = next(iter(DOMAINS.values()))
Change = Callable[[dict[str, Any]], object]
ROOT = Path(__file__).resolve().parents[2]


def message(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert str(folder.parent) not in str(caught.value), "a path on disk must not be told"
    return str(caught.value)


def repacked(folder: Path, name: str, **tensors: NDArray[np.generic]) -> None:
    """Other tensors in one file, with every digest put right again."""
    raw = save({**load((folder / name).read_bytes()), **tensors})
    (folder / name).write_bytes(raw)
    rewrite_card(folder, lambda card: card["files"].update({name: sha256(raw).hexdigest()}))


def rewrite_card(folder: Path, change: Change) -> None:
    card = json.loads((folder / CARD).read_text())
    change(card)
    (folder / CARD).write_text(json.dumps(card))


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=list(DOMAINS))
def test_a_bundle_is_read_as_it_was_written(tmp_path: Path, domain: Domain) -> None:
    written = tiny_bundle(tmp_path / "bundle", domain)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle == written
    assert bundle.domain == domain
    assert bundle.digest == sha256((tmp_path / "bundle" / CARD).read_bytes()).hexdigest()
    np.testing.assert_array_equal(bundle.head().weight, tiny_head(domain).weight)
    np.testing.assert_array_equal(bundle.exam().values, tiny_clips(domain, "exam").values)
    np.testing.assert_array_equal(bundle.memory().labels, tiny_clips(domain, "memory").labels)
    assert bundle.memory().clip_ids == tiny_clips(domain, "memory").clip_ids


def test_fingerprints_are_of_the_exams_clips_one_each(tmp_path: Path) -> None:
    domain = load_domains(names=("keywords",))["keywords"]
    count = len(tiny_clips(domain, "exam").clip_ids)
    for extra in (0, 1):
        prints = Fingerprints("waveform_signs", (b"\x01\x02", *[b""] * (count - 1 + extra)))
        files = tiny_files(domain) | {FINGERPRINTS: fingerprint_bytes(prints)}
        if extra:
            with pytest.raises(BundleError, match=f"shape .{count + 1},., right is .{count},."):
                write_bundle(tmp_path / "b", card_fields=tiny_fields(domain), files=files)
        else:
            bundle = write_bundle(tmp_path / "a", card_fields=tiny_fields(domain), files=files)
            assert load_bundle(bundle.path).exam_fingerprints() == prints


def test_a_transposed_head_is_kept_as_it_reads_not_as_it_lies(tmp_path: Path) -> None:
    head = tiny_head(ONE)
    turned = Head(np.asfortranarray(head.weight), head.bias)
    files = {**tiny_files(ONE), HEAD: head_bytes(turned)}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    np.testing.assert_array_equal(bundle.head().weight, head.weight)


def test_nothing_remembered_is_a_valid_memory(tmp_path: Path) -> None:
    none = Embeddings(np.empty((0, ONE.network.embedding), np.float32), np.empty(0, np.int64), ())
    files = {**tiny_files(ONE), MEMORY: memory_bytes(none)}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    assert bundle.memory().clip_ids == ()


@pytest.mark.parametrize("name", [CARD, BACKBONE, HEAD, MEMORY, EXAM])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (tiny_bundle(tmp_path / "b").path / name).unlink()
    assert f"{name} is missing" in message(tmp_path / "b")


@pytest.mark.parametrize("name", [CARD, BACKBONE, HEAD, MEMORY, EXAM])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str) -> None:
    file = tiny_bundle(tmp_path / "b").path / name
    file.write_bytes(file.read_bytes()[:-100])
    assert name in message(tmp_path / "b")


@pytest.mark.parametrize("name", [BACKBONE, HEAD, MEMORY, EXAM])
def test_one_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    file = tiny_bundle(tmp_path / "b").path / name
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert f"{name} is not the file the card describes" in message(tmp_path / "b")


def test_a_file_changed_after_loading_is_not_believed(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    (bundle.path / HEAD).write_bytes(b"other")
    with pytest.raises(BundleError, match=HEAD):
        bundle.head()


SIZE, CLASSES, CLIPS = ONE.network.embedding, len(ONE.labels), 6 * len(ONE.labels)


@pytest.mark.parametrize(
    ("name", "tensors", "words"),
    [
        (HEAD, {"weight": np.zeros((CLASSES, SIZE + 1), np.float32)}, f"{(CLASSES, SIZE)}"),
        (HEAD, {"bias": np.zeros(CLASSES + 1, np.float32)}, "bias has shape"),
        (HEAD, {"bias": np.zeros(CLASSES)}, "bias is float64, right is float32"),
        (HEAD, {"bias": np.full(CLASSES, np.nan, np.float32)}, "not finite"),
        (HEAD, {"extra": np.zeros(1, np.float32)}, "holds bias, extra, weight"),
        (MEMORY, {"labels": np.full(CLIPS, CLASSES)}, f"right are 0 to {CLASSES - 1}"),
        (MEMORY, {"labels": np.zeros(3, np.int64)}, "do not describe the same clips"),
        (MEMORY, {"embeddings": np.zeros((CLIPS, 3), np.float16)}, "embeddings has shape"),
        (EXAM, {"clip_ids": np.zeros((CLIPS, 20), np.uint8)}, "do not describe the same clips"),
        (EXAM, {"probe_embedding": np.zeros(3, np.float32)}, "probe_embedding has shape (3,)"),
        (EXAM, {"probe_features": np.zeros((1, 3, 3), np.float32)}, "probe_features has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_what_would(
    tmp_path: Path, name: str, tensors: dict[str, NDArray[np.generic]], words: str
) -> None:
    tiny_bundle(tmp_path / "b", ONE)
    repacked(tmp_path / "b", name, **tensors)
    seen = message(tmp_path / "b")
    assert seen.startswith(name)
    assert words in seen


def test_a_pickle_in_place_of_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "b").path
    trap = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    (folder / HEAD).write_bytes(trap)
    rewrite_card(folder, lambda card: card["files"].update({HEAD: sha256(trap).hexdigest()}))
    assert f"{HEAD} is not a safetensors file" in message(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card.update(format=2), "understands format 1"),
        (lambda card: card.pop("format"), "format None"),
        (lambda card: card.pop("licence"), "licence"),
        (lambda card: card.update(temperature=0), "temperature"),
        (lambda card: card.update(labels=["x", *card["labels"][1:]]), "its domain has"),
        (lambda card: card["files"].pop(EXAM), f"does not list {EXAM}"),
        (lambda card: card["files"].update({"../x": "0" * 64}), "no bundle has"),
        (lambda card: card["metrics"]["exam"]["confusion"].pop(), "confusion table"),
        (lambda card: card["split"].update(exam=99), f"right is (99, {SIZE})"),
        (lambda card: card["domain"].pop("labels"), "domain.labels"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path: Path, change: Change, words: str) -> None:
    tiny_bundle(tmp_path / "b", ONE)
    rewrite_card(tmp_path / "b", change)
    assert words in message(tmp_path / "b")


def test_a_bundle_that_would_be_wrong_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="temperature"):
        tiny_bundle(tmp_path / "b", temperature=-1.0)
    files = {**tiny_files(ONE), HEAD: b""}
    with pytest.raises(BundleError, match=HEAD):
        write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_killed_half_way_leaves_the_old_bundle(tmp_path: Path) -> None:
    old = tiny_bundle(tmp_path / "b", ONE)
    os.mkfifo(tmp_path / "slow")  # nobody ever writes to it: the writer waits in the middle
    story = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "from pathlib import Path\nfrom support.tiny import *\n"
        "from data.domains.domain import load_domains\n"
        f"domain = load_domains()[{ONE.name!r}]\n"
        f"files = {{**tiny_files(domain, seed=1), 'memory.safetensors': Path('slow')}}\n"
        "write_bundle(Path('b'), card_fields=tiny_fields(domain), files=files)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen([sys.executable, "-c", story], cwd=tmp_path, env=environment)
    while not list(tmp_path.glob(f".writing-*/{HEAD}")):
        assert writer.poll() is None
        time.sleep(0.01)
    assert load_bundle(tmp_path / "b") == old
    writer.kill()
    writer.wait()
    assert load_bundle(tmp_path / "b") == old

    (left,) = tmp_path.glob(".writing-*")
    os.utime(left, (0, 0))
    tiny_bundle(tmp_path / "b", ONE, seed=1)
    assert load_bundle(tmp_path / "b") != old
    assert not list(tmp_path.glob(".writing-*")), "what was left lying is cleared away"


def test_a_bundle_travels_as_bytes_into_another_cache(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    assert cached(tmp_path / "cache", bundle.digest) is None
    folder = keep(tmp_path / "cache", file_bytes(bundle))
    assert (
        folder == cached(tmp_path / "cache", bundle.digest) == keep(tmp_path / "cache", bundle.path)
    )
    assert load_bundle(folder).card == bundle.card


def test_a_damaged_copy_is_not_used_and_can_be_replaced(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    folder = keep(tmp_path, bundle.path)
    assert cached(tmp_path, bundle.digest) == folder
    (folder / HEAD).write_bytes(b"damaged")
    assert cached(tmp_path, bundle.digest) is None
    assert keep(tmp_path, bundle.path) == folder
    assert load_bundle(folder).digest == bundle.digest


def test_an_incomplete_delivery_is_not_kept(tmp_path: Path) -> None:
    files = file_bytes(tiny_bundle(tmp_path / "b"))
    del files[MEMORY]
    with pytest.raises(BundleError, match=f"{MEMORY} is missing"):
        keep(tmp_path / "cache", files)
    with pytest.raises(BundleError, match=f"{CARD} is missing"):
        keep(tmp_path / "cache", {})
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_delivery_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    files = file_bytes(tiny_bundle(tmp_path / "b"))
    keep(tmp_path / "cache", {**files, "../../escaped": b"x"})
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("digest", ["", "..", "../../etc", "A" * 64, "0" * 63])
def test_only_a_digest_names_a_folder_in_the_cache(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BundleError, match="64 hexadecimal digits"):
        cached(tmp_path, digest)


def test_many_may_keep_the_same_bundle_at_once(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    files = file_bytes(bundle)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: keep(tmp_path / "cache", files), range(16)))
    assert folders == {tmp_path / "cache" / bundle.digest}
    assert load_bundle(folders.pop()).digest == bundle.digest
