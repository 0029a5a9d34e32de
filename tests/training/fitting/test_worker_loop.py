"""worker_loop.py: what a worker does with its assignment, run in this process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.datasets.dataset import decode_all, from_example, read_file
from data.datasets.sources import examples
from data.datasets.split import validation_mask
from data.domains.domain import AudioDomain, load_domains
from data.errors import InvalidParameter
from data.home import Home, home_from_env
from models.networks.kinds import build_classifier
from support.inputs.toy_dataset import toy_dataset, toy_domain
from training.fitting.assignment import Assignment
from training.fitting.classify import HEAVIEST, ClassifyingNetwork, class_weights, label_loss
from training.fitting.learner import Learner
from training.fitting.shared_clips import share
from training.fitting.trainer import fit
from training.fitting.worker_loop import Trained
from training.job.run_progress import EpochReporter


def home_at(folder: Path) -> Home:
    return home_from_env({"TELLTALE_HOME": str(folder)})


@pytest.fixture(scope="module")
def domain() -> AudioDomain:
    return toy_domain(load_domains(names=("faults",))["faults"], epochs=20)


@pytest.fixture(scope="module")
def assignment(domain: AudioDomain, tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    root = tmp_path_factory.mktemp("loop")
    rows = [row for row in examples(domain, toy_dataset(root, domain)) if row.split == "train"]
    clips = [from_example(row) for row in rows]
    labels = [clip.label for clip in clips]
    decode_all(clips, read_file, domain, root / "decoded")
    indexes = np.array([domain.label_index(label) for label in labels], np.int64)
    held = validation_mask(labels, [clip.group for clip in clips], 0.25, 1)
    return Assignment(
        domain, root / "decoded", indexes, indexes, indexes, held, lambda figures: None
    )


@pytest.fixture(scope="module")
def epochs() -> list[dict[str, Any]]:
    return []


@pytest.fixture(scope="module")
def trained(
    assignment: Assignment, epochs: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    told = Assignment(**{**vars(assignment), "on_epoch": epochs.append})
    return fit(told, "toy", home_at(tmp_path_factory.mktemp("home")), workers=0)


def test_a_network_learns_tones(trained: Trained) -> None:
    assert max(epoch["validation_macro_f1"] for epoch in trained.history) >= 0.9


def test_each_epoch_is_told_with_its_figures(
    trained: Trained, epochs: list[dict[str, Any]]
) -> None:
    assert [epoch["epoch"] for epoch in epochs] == list(range(1, len(trained.history) + 1))
    figures = {"validation_loss", "validation_accuracy", "validation_macro_f1"}
    wanted = {"epoch", "of", "train_loss", "train_accuracy", *figures, "seconds"}
    assert all(set(epoch) == wanted for epoch in epochs)
    assert epochs[0]["train_accuracy"] < epochs[-1]["train_accuracy"] <= 1


def test_the_weights_returned_are_those_of_the_best_epoch(
    trained: Trained, domain: AudioDomain
) -> None:
    classifier = build_classifier(domain)
    classifier.load_state_dict(trained.weights)  # the whole classifier, and nothing besides
    assert all(torch.isfinite(value).all() for value in trained.weights.values())


def test_a_worker_whose_machine_has_not_the_clips_takes_them_from_the_bucket(
    assignment: Assignment, tmp_path: Path
) -> None:
    driver = replace(home_at(tmp_path / "driver"), checkpoints=(tmp_path / "bucket").as_uri())
    short = assignment.domain.training.model_copy(update={"epochs": 1})
    elsewhere = replace(
        assignment,
        domain=assignment.domain.model_copy(update={"training": short}),
        decoded=tmp_path / "none here" / assignment.decoded.name,
        shared_by=share(assignment.decoded, driver),
    )
    assert len(fit(elsewhere, "elsewhere", home_at(tmp_path / "worker"), workers=0).history) == 1
    assert not elsewhere.decoded.exists()
    assert share(assignment.decoded, home_at(tmp_path / "one folder")) == ""


def test_training_stops_when_it_has_stopped_getting_better(
    assignment: Assignment, tmp_path: Path
) -> None:
    domain = assignment.domain
    training = domain.training.model_copy(
        update={"patience": 2, "epochs": 50, "learning_rate": 1e-9}
    )
    stuck = Assignment(
        **{**vars(assignment), "domain": domain.model_copy(update={"training": training})}
    )
    assert len(fit(stuck, "stuck", home_at(tmp_path), workers=0).history) < 50


def test_a_checkpoint_brings_back_everything_that_changes(
    domain: AudioDomain, tmp_path: Path
) -> None:
    def learner() -> Learner:
        network = ClassifyingNetwork(domain, 4, torch.ones(4))
        return Learner(network, domain.training, 10, torch.device("cpu"))

    features = torch.randn(8, *domain.window)
    targets = torch.eye(8)[:, :8].reshape(8, 8)
    first = learner()
    first.learn(features, targets)
    first.history.append({"epoch": 1, "validation_loss": 0.5})
    first.keep_as_best()
    first.save(tmp_path / "state.pt")
    second = learner()
    second.restore(tmp_path / "state.pt")
    assert second.history == first.history
    torch.manual_seed(1)
    again = first.learn(features, targets)
    torch.manual_seed(1)
    assert second.learn(features, targets) == pytest.approx(again)


def test_training_that_diverges_is_said_in_words(
    assignment: Assignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> dict[str, float]:
        return {"validation_loss": float("nan"), "validation_macro_f1": 0.0}

    monkeypatch.setattr("training.fitting.classify.HeldRecordings.validate", nothing)
    with pytest.raises(
        InvalidParameter, match=r"training diverged at training\.learning_rate 0\.01"
    ):
        fit(assignment, "diverged", home_at(tmp_path), workers=0)


def test_what_ray_train_writes_down_of_a_run_holds_no_password(assignment: Assignment) -> None:
    secret = "postgresql://anna:secret@host/telltale"
    reporter = EpochReporter(secret, secret, "run", "faults", "anna")
    assert "secret" not in repr(replace(assignment, on_epoch=reporter))


def best_answer(counts: list[int], label: int) -> torch.Tensor:
    """The probabilities with the lowest loss for a clip of `label`, where nothing else counts."""
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = torch.from_numpy(class_weights(labels, len(counts)))
    logits = torch.zeros(1, len(counts), requires_grad=True)
    descent = torch.optim.Adam([logits], lr=0.1)
    for _ in range(500):
        descent.zero_grad()
        label_loss(logits, torch.eye(len(counts))[[label]], weights, 0.1).backward()  # type: ignore[no-untyped-call]
        descent.step()
    return torch.softmax(logits.detach(), dim=1)[0]


@pytest.mark.parametrize("counts", [[300, 300, 300, 1], [300, 300, 300, 0]])
def test_a_rare_or_missing_label_is_not_taught_for_the_clips_of_others(counts: list[int]) -> None:
    answer = best_answer(counts, label=0)
    assert answer[0] == pytest.approx(0.925, abs=0.01)
    assert answer[3] == pytest.approx(0.025, abs=0.01)


def test_rare_labels_have_an_equal_say_but_one_clip_does_not_pull_like_a_hundred() -> None:
    labels = np.repeat(np.arange(4), [30, 15, 200, 1])
    weights = class_weights(labels, 5)
    assert 30 * weights[0] == pytest.approx(15 * weights[1])
    assert weights[3] == HEAVIEST
    assert weights[4] == 0
