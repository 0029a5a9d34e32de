"""clip_features.py: what was heard is never heard again; nothing stays of a forgotten clip."""

import numpy as np

from data.store.clips.clip_features import Features
from data.store.store import Store
from support.inputs.uploads import new_clip

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)  # backbones


def heard(value: float) -> Features:
    return Features(np.full((2, 3), value, np.float32), b"print")


def add(store: Store, raw: bytes) -> str:
    return store.clips.add(new_clip(raw), who="anna")[0].sha256


def embedding(store: Store, backbone: str, sha256: str) -> float | None:
    values = store.features.find("faults", backbone)[sha256].embedding
    return None if values is None else float(values[1, 2])


def test_an_embedding_belongs_to_its_backbone_and_a_fingerprint_to_the_clip(store: Store) -> None:
    clip = add(store, b"1")
    store.features.put("faults", ONE, {clip: heard(0.5)})
    store.features.put("faults", TWO, {clip: heard(1.5)})
    assert embedding(store, ONE, clip) == 0.5
    assert embedding(store, TWO, clip) == 1.5
    assert store.features.find("faults", THREE) == {clip: Features(None, b"print")}
    assert store.features.find("keywords", ONE) == {}


def test_what_is_heard_again_takes_the_place_of_what_was(store: Store) -> None:
    clip = add(store, b"1")
    store.features.put("faults", ONE, {clip: heard(0.5)})
    store.features.put("faults", ONE, {clip: heard(0.25), "f" * 64: heard(1)})
    assert embedding(store, ONE, clip) == 0.25
    assert set(store.features.find("faults", ONE)) == {clip}


def test_the_newest_two_backbones_of_a_domain_are_kept(store: Store) -> None:
    old, new = add(store, b"1"), add(store, b"2")
    for place, backbone in enumerate((ONE, TWO, THREE)):
        store.features.put("faults", backbone, {new: heard(place)})
    store.features.put("faults", TWO, {old: heard(9)})
    assert [embedding(store, each, new) for each in (ONE, TWO, THREE)] == [None, 1, 2]
    assert embedding(store, TWO, old) == 9


def test_a_forgotten_clip_takes_its_features_along(store: Store) -> None:
    clip = add(store, b"1")
    store.features.put("faults", ONE, {clip: heard(0.5)})
    store.clips.forget("faults", clip, who="admin")
    assert store.features.find("faults", ONE) == {}
