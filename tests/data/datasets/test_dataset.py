"""dataset.py: splits that keep groups whole, decoding once, batches for each worker."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.database.schema import HeldFor
from data.datasets.dataset import (
    Batches,
    Kept,
    LabelledClip,
    decode_all,
    one_hot,
    pinned_groups,
)
from data.datasets.sampling import draw_chances
from data.datasets.split import validation_mask
from data.domains.domain import AudioDomain, load_domains, of_sounds
from data.errors import InvalidParameter, TelltaleError
from data.media.audio.waveform import MAX_PEAK


@pytest.fixture
def domain() -> AudioDomain:
    return of_sounds(load_domains(names=("keywords",))["keywords"])


def wav(samples: int, seed: int) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    soundfile.write(out, noise, 8000, format="WAV")
    return out.getvalue()


def clip(number: int) -> LabelledClip:
    return LabelledClip(f"{number:064x}", "one", f"group{number}", "", None)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides_of_a_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [f"g{n}" for n in rng.integers(0, 60, 300)]
    labels = [("a", "b", "c")[n] for n in rng.integers(0, 3, 300)]
    held = validation_mask(labels, groups, 0.2, seed)
    ours = {group for group, is_held in zip(groups, held, strict=True) if not is_held}
    theirs = {group for group, is_held in zip(groups, held, strict=True) if is_held}
    assert not ours & theirs
    assert 0.1 < held.mean() <= 0.22


def test_each_label_is_held_out_in_its_own_proportion() -> None:
    labels = ["often"] * 200 + ["seldom"] * 20
    held = validation_mask(labels, [f"g{n}" for n in range(220)], 0.15, 7)
    assert held[:200].sum() == 30
    assert held[200:].sum() == 3


def test_a_label_of_two_groups_has_one_on_each_side_and_of_one_group_stays_in_training() -> None:
    labels = ["rare", "rare", "single", *["often"] * 50]
    groups = ["r1", "r2", "s", *[f"o{n}" for n in range(50)]]
    held = validation_mask(labels, groups, 0.1, 3)
    assert held[:2].sum() == 1
    assert not held[2]


def test_few_large_groups_are_held_out_all_the_same() -> None:
    """Six speakers who say each word fifty times: one of them, though that is more than a tenth."""
    labels = [label for label in "abc" for _ in range(6 * 50)]
    groups = [f"speaker {n}" for _ in "abc" for n in range(6) for _ in range(50)]
    held = validation_mask(labels, groups, 0.1, 7)
    assert held.sum() == 150
    assert len({group for group, is_held in zip(groups, held, strict=True) if is_held}) == 1


def test_a_group_whose_side_was_said_stays_there_and_the_rest_fills_up() -> None:
    labels = ["a"] * 40
    groups = [f"g{n // 2}" for n in range(40)]
    pinned = {"g3": True, "g0": False, "g1": False}
    held = validation_mask(labels, groups, 0.2, 7, pinned)
    theirs = {group for group, is_held in zip(groups, held, strict=True) if is_held}
    assert "g3" in theirs
    assert not theirs & {"g0", "g1"}
    assert held.sum() == 8


def test_a_group_that_was_imported_for_both_sides_is_trained_on() -> None:
    def imported(group: str, split: HeldFor | None) -> LabelledClip:
        return LabelledClip("0" * 64, "one", group, "", None, split=split)

    clips = [imported("x", "validation"), imported("x", "train"), imported("y", "validation")]
    assert pinned_groups([*clips, imported("z", None)]) == {"x": False, "y": True}


def test_nothing_to_hold_out_is_said_in_words() -> None:
    with pytest.raises(InvalidParameter, match="nothing can be held out for validation"):
        validation_mask(["a", "b"], ["one", "two"], 0.1, 7)


def test_the_loudest_clip_that_is_accepted_survives_decoding(
    domain: AudioDomain, tmp_path: Path
) -> None:
    def loud(peak: float) -> bytes:
        out = io.BytesIO()
        soundfile.write(out, np.full(4000, float(peak)), 8000, format="WAV", subtype="FLOAT")
        return out.getvalue()

    waveforms = decode_all([clip(1)], lambda one: loud(MAX_PEAK * 0.99), domain, tmp_path / "d")
    assert np.isfinite(waveforms[0]).all()
    with pytest.raises(InvalidParameter, match="samples that are no sound"):
        decode_all([clip(1)], lambda one: loud(65_600), domain, tmp_path / "e")


def test_a_damaged_clip_of_a_data_set_is_named(domain: AudioDomain, tmp_path: Path) -> None:
    listed = LabelledClip("0" * 64, "one", "g", "", tmp_path / "one" / "a.flac")
    with pytest.raises(InvalidParameter, match=r"^one/a\.flac: ") as refused:
        decode_all([listed], lambda one: b"no recording", domain, tmp_path / "d")
    assert str(tmp_path) not in str(refused.value)


def test_new_clips_do_not_reshuffle_the_old_ones() -> None:
    """Else a network that goes on training would be validated on what it was trained on."""
    labels, groups = ["a", "b"] * 100, [f"g{n}" for n in range(200)]
    before = validation_mask(labels, groups, 0.15, 7)
    after = validation_mask([*labels, "a", "b"], [*groups, "new1", "new2"], 0.15, 7)
    assert np.mean(before == after[:200]) > 0.97


def test_clips_are_decoded_once_a_run(domain: AudioDomain, tmp_path: Path) -> None:
    clips = [clip(1), clip(2)]
    reads: list[str] = []

    def read(one: Kept) -> bytes:
        reads.append(one.sha256)
        return wav(3000 + 1000 * int(one.sha256, 16), seed=1)

    first = decode_all(clips, read, domain, tmp_path / "decoded")
    again = decode_all(clips, read, domain, tmp_path / "decoded")
    assert len(reads) == 2
    assert [len(again[0]), len(again[1])] == [4000, 5000]
    assert np.array_equal(first[1], again[1])


def test_decoding_that_fails_leaves_nothing_half_done(domain: AudioDomain, tmp_path: Path) -> None:
    def read(one: Kept) -> bytes:
        return wav(3000, seed=1) if one == clip(1) else b"no recording"

    with pytest.raises(TelltaleError):
        decode_all([clip(1), clip(2)], read, domain, tmp_path / "decoded")
    assert not (tmp_path / "decoded").exists()


def batches(domain: AudioDomain, folder: Path, count: int) -> Batches:
    clips = [clip(n) for n in range(count)]
    waveforms = decode_all(clips, lambda one: wav(4000, int(one.sha256, 16)), domain, folder)
    labels = np.arange(count) % len(domain.labels)
    return Batches(domain, waveforms, one_hot(labels, len(domain.labels)), np.arange(count), 4)


def test_an_epoch_shows_every_clip_once_and_none_in_a_tiny_last_batch(
    domain: AudioDomain, tmp_path: Path
) -> None:
    shown = [targets for _, targets in batches(domain, tmp_path / "d", 18).epoch(1)]
    assert sum(len(targets) for targets in shown) == 18
    assert min(len(targets) for targets in shown) >= 4


def test_workers_share_each_batch_between_them(domain: AudioDomain, tmp_path: Path) -> None:
    many = batches(domain, tmp_path / "d", 16)
    alone = np.concatenate([targets for _, targets in many.epoch(1)])
    shares = [np.concatenate([t for _, t in many.epoch(1, rank, 2)]) for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) == 8
    assert np.array_equal(sum(s.sum(axis=0) for s in shares), alone.sum(axis=0))


def test_an_epoch_can_be_repeated_exactly_and_the_next_one_differs(
    domain: AudioDomain, tmp_path: Path
) -> None:
    many = batches(domain, tmp_path / "d", 8)
    first, again, later = (next(many.epoch(number))[0] for number in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)


def test_what_is_learnt_in_parts_is_as_long_as_the_domain_says(
    domain: AudioDomain, tmp_path: Path
) -> None:
    whole = next(batches(domain, tmp_path / "d", 8).epoch(1))[0]
    training = domain.training.model_copy(update={"crop_s": domain.input.window_s / 2})
    shorter = domain.model_copy(update={"training": training})
    parts = next(batches(shorter, tmp_path / "d", 8).epoch(1))[0]
    assert whole.shape[1:] == domain.window
    assert parts.shape[1] == whole.shape[1]
    assert parts.shape[2] == pytest.approx(whole.shape[2] / 2, abs=1)


def test_how_often_a_clip_is_drawn() -> None:
    labels, groups = np.array([0, 0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1, 2])
    assert draw_chances(labels, groups, "uniform") is None
    balanced, by_groups = (
        draw_chances(labels, groups, sampling) for sampling in ("balanced", "groups")
    )
    assert balanced is not None
    assert by_groups is not None
    assert np.allclose(balanced, [0.1] * 5 + [0.5])
    assert np.allclose(by_groups, [0.5 / 6] * 4 + [0.5 / 3, 0.5]), "four alike count as two"
