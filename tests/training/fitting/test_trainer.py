"""What a full training asks a cluster for."""

from pathlib import Path

import pytest
import yaml

from data.domains.domain import load_domains
from training.fitting.trainer import WORKER_CPUS, scaling

SPEC = load_domains(names=("keywords",))["keywords"].training
DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.mark.parametrize(
    ("held", "autoscaled", "train"),
    [
        ({"CPU": 8.0}, False, 0),
        ({"CPU": 8.0, "train": 2.0}, False, 0),
        ({"CPU": 8.0, "train": 4.0}, False, 1),
        # Four parts of a CPU fit the pod that is there, and would wake no other.
        ({"CPU": 8.0, "train": 2.0}, True, 1),
        ({}, True, 1),
    ],
)
def test_workers_take_what_is_kept_for_training_where_it_is_or_can_be_brought(
    held: dict[str, float], autoscaled: bool, train: int
) -> None:
    asked = scaling(4, SPEC, held, autoscaled)
    assert asked.num_workers == 4
    assert asked.resources_per_worker == {"CPU": WORKER_CPUS} | ({"train": 1} if train else {})


def test_elastic_workers_begin_where_the_fewest_fit() -> None:
    asked = scaling(4, SPEC.model_copy(update={"min_workers": 2}), {"train": 2.0}, False)
    assert asked.num_workers == (2, 4)
    assert (asked.resources_per_worker or {})["train"] == 1


@pytest.mark.parametrize(("gpus", "held", "asked_for"), [(2, 0.0, 2), (0, 4.0, 1), (0, 3.0, None)])
def test_gpus_are_waited_for_if_the_domain_says_so_else_taken_where_all_get_one(
    gpus: int, held: float, asked_for: int | None
) -> None:
    asked = scaling(4, SPEC.model_copy(update={"gpus": gpus}), {"GPU": held}, False)
    assert asked.use_gpu == (asked_for is not None)
    assert (asked.resources_per_worker or {}).get("GPU") == asked_for


def test_both_kinds_of_pods_with_an_autoscaler_know_of_it() -> None:
    settings, _ = yaml.safe_load_all((DEPLOY / "kubernetes/settings.yaml").read_text())
    assert settings["data"]["TELLTALE_AUTOSCALER"] == "1"
    for name, cluster in (("rayservice", "rayClusterConfig"), ("rayjob", "rayClusterSpec")):
        found = yaml.safe_load((DEPLOY / f"kubernetes/{name}.yaml").read_text())["spec"][cluster]
        assert found["enableInTreeAutoscaling"]
        (head,) = found["headGroupSpec"]["template"]["spec"]["containers"]
        assert {"configMapRef": {"name": "telltale"}} in head["envFrom"]
