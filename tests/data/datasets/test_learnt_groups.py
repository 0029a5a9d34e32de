"""A model is never judged by what the backbone that it starts from has learnt."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.datasets.dataset import LabelledClip
from data.domains.domain import AudioDomain, load_domains
from data.errors import InvalidDomain
from models.networks import backbone
from models.networks.backbone import BackboneCard, backbone_of, write_backbone
from models.networks.kinds import build_network
from support.inputs.toy_dataset import TEST, TRAIN, toy_dataset, toy_domain
from training.job.plan import Plan, plan_full
from training.screening.uploads import NO_UPLOADS, Uploads

AUDIO = [name for name, domain in load_domains().items() if domain.modality == "audio"]


@pytest.fixture
def domain() -> AudioDomain:
    return starting_from(toy_domain(load_domains(names=("faults",))["faults"], epochs=1), "sounds")


@pytest.fixture
def dataset(domain: AudioDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(backbone, "BACKBONES", tmp_path / "backbones")
    return toy_dataset(tmp_path / "datasets", domain)


def starting_from(domain: AudioDomain, name: str | None) -> AudioDomain:
    training = domain.training.model_copy(update={"start_from": name})
    return domain.model_copy(update={"training": training})


def learnt(domain: AudioDomain, *groups: str) -> None:
    """Now backbone sounds has learnt from these."""
    weights = build_network(domain).state_dict()
    write_backbone(backbone.BACKBONES / "sounds", domain, weights, {}, groups)


def judges(plan: Plan) -> set[str]:
    held = [clip for clip, is_held in zip(plan.clips, plan.held_out, strict=True) if is_held]
    return {clip.group for clip in [*held, *plan.exam]}


def uploads(*clips: LabelledClip) -> Uploads:
    return Uploads(clips, np.zeros((0, 1, 0), np.float32), np.zeros((0, 1), np.int64), ())


def upload(number: int, group: str) -> LabelledClip:
    return LabelledClip(f"{number:064}", "fluid", group, "upload:fluid", None)


def test_a_group_of_the_exam_is_refused_in_words(domain: AudioDomain, dataset: Path) -> None:
    learnt(domain, f"fluid:{TRAIN}", "another")
    with pytest.raises(InvalidDomain, match=rf"learnt 1 groups of the exam .* 'fluid:{TRAIN}'"):
        plan_full(domain, dataset, NO_UPLOADS)


def test_what_was_learnt_does_not_validate_however_many_clips_people_send(
    domain: AudioDomain, dataset: Path
) -> None:
    """More clips want more of them held out: those are found among what is new."""
    scratch = plan_full(starting_from(domain, None), dataset, NO_UPLOADS)
    ours = {clip.group for clip in scratch.clips} - judges(scratch)
    learnt(domain, *ours)
    assert (plan_full(domain, dataset, NO_UPLOADS).held_out == scratch.held_out).all()
    sent = uploads(*(upload(number, f"new{number}") for number in range(3 * (TRAIN + TEST))))
    grown = plan_full(domain, dataset, sent)
    assert np.sum(grown.held_out) > np.sum(scratch.held_out)
    assert not judges(grown) & ours


def test_an_upload_that_was_sent_to_validate_must_not_have_been_learnt(
    domain: AudioDomain, dataset: Path
) -> None:
    learnt(domain, "anna")
    plan = plan_full(domain, dataset, uploads(upload(1, "anna")))
    assert "anna" not in judges(plan)
    sent = replace(upload(1, "anna"), split="validation")
    with pytest.raises(InvalidDomain, match=r"of validation, as 'anna'"):
        plan_full(domain, dataset, uploads(sent))


def test_a_card_from_before_groups_were_kept_refuses_nothing(
    domain: AudioDomain, dataset: Path
) -> None:
    learnt(domain)
    card = backbone.BACKBONES / "sounds" / "backbone.json"
    old = BackboneCard.model_validate_json(card.read_bytes()).model_dump_json(
        exclude={"learnt_groups"}
    )
    card.write_text(old)
    assert plan_full(domain, dataset, NO_UPLOADS).exam


@pytest.mark.parametrize("name", AUDIO)
def test_the_shipped_backbone_has_learnt_nothing_that_judges_a_domain(
    name: str, datasets: Path
) -> None:
    domain = load_domains(names=(name,))[name]
    assert isinstance(domain, AudioDomain)
    card = backbone_of(starting_from(domain, "sounds"))
    assert card
    assert judges(plan_full(starting_from(domain, "sounds"), datasets, NO_UPLOADS))
    scratch = plan_full(starting_from(domain, None), datasets, NO_UPLOADS)
    assert not card.has_learnt(judges(scratch))
    assert len(card.has_learnt(clip.group for clip in scratch.clips)) > 50
