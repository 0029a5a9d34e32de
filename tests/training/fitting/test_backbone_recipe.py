"""A backbone must not have heard what any model is examined on."""

import csv
import re
from pathlib import Path

import numpy as np

from data.datasets.sources import Example, fine_label, listed
from data.domains.domain import load_domain, load_domains, of_sounds
from training.crossval import without_leaking_backbone
from training.fitting.backbone_recipe import (
    RECIPES,
    as_domain,
    held_groups,
    load_recipe,
    material,
)
from training.job.plan import plan_full
from training.screening.uploads import Uploads

NOTHING = Uploads((), np.zeros((0, 1, 0), np.float32), np.zeros((0, 1), np.int64), ())
FREESOUND = re.compile(r"\d-(\d+)-[A-Z]-\d+|us8k_(\d+)-")


def freesound_ids(folder: Path, split: str) -> set[str]:
    """From the names of the files, whatever the list calls their groups."""
    with (folder / "manifest.csv").open(newline="") as lines:
        names = [row["path"] for row in csv.DictReader(lines) if row["split"] == split]
    found = [FREESOUND.search(name) for name in names]
    return {next(filter(None, match.groups())) for match in found if match}


def test_no_recording_of_any_exam_is_pretrained_on(datasets: Path) -> None:
    shared = ("esc50", "faults", "wildlife")
    exams = set().union(*(freesound_ids(datasets / name, "test") for name in shared))
    assert len(exams) > 300
    found = material(load_recipe("sounds"), datasets)
    rows = found.rows
    heard = {row.group.removeprefix("freesound:") for row in rows}
    named = {id_ for row in rows for id_ in FREESOUND.findall(row.path.name) for id_ in id_ if id_}
    assert not exams & (heard | named)
    assert found.left_out > 0, (
        "some recordings stand in the train rows of one and the exam of another"
    )
    assert {row.split for row in rows} == {"train"}


def test_every_audio_domain_has_its_say_and_no_recording_two(datasets: Path) -> None:
    recipe = load_recipe("sounds")
    audio = {name for name, domain in load_domains().items() if domain.modality == "audio"}
    assert audio <= set(recipe.data_sets)
    rows = material(recipe, datasets).rows
    classes = {fine_label(row.source, row.label) for row in rows}
    assert {"car_horn", "chainsaw", "seven", "MVP"} <= classes
    stems = [row.path.stem.removeprefix("esc50_") for row in rows]
    assert len(stems) == len(set(stems))
    domain = as_domain(recipe, "sounds", tuple(sorted(classes)))
    assert domain.network == recipe.network


def test_models_of_folds_start_from_what_has_heard_nothing_of_their_domain(datasets: Path) -> None:
    starting = [domain for domain in load_domains().values() if domain.start_from == "sounds"]
    assert {domain.name for domain in starting} == {"faults", "wildlife"}
    heard = {row.group for row in material(load_recipe("sounds_apart"), datasets).rows}
    for domain in starting:
        rows = listed(domain, datasets)
        assert not heard & {row.group for row in rows}
        assert without_leaking_backbone(domain, rows).start_from == "sounds_apart"


def test_what_a_domain_is_calibrated_on_is_not_learnt(datasets: Path) -> None:
    found = material(load_recipe("sounds"), datasets)
    heard = {row.group for row in found.rows}
    for name in ("faults", "wildlife", "hearts", "keywords"):
        domain = load_domains(names=(name,))[name]
        plan = plan_full(domain, datasets, NOTHING)
        held = {c.group for c, is_held in zip(plan.clips, plan.held_out, strict=True) if is_held}
        assert held & heard <= found.held


def test_a_validation_split_of_a_list_is_what_a_domain_holds_out() -> None:
    domain = of_sounds(load_domains(names=("faults",))["faults"])
    rows = [
        Example(
            Path(f"{take}.wav"),
            label,
            f"{label} {take}",
            "train",
            "",
            held="validation" if take == 9 else "train",
        )
        for label in domain.labels
        for take in range(10)
    ]
    assert held_groups(domain, rows) == {f"{label} 9" for label in domain.labels}


def test_every_recipe_of_one_data_set_is_a_domain_file() -> None:
    for file in RECIPES.glob("*.yaml"):
        if "data_sets" not in file.read_text():
            assert load_domain(file).labels
