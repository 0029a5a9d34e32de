"""Where a model comes from stays with it: the backbone it started from, its licence, the code."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from data.domains.domain import AudioDomain, load_domains
from models.networks import backbone
from models.networks.backbone import write_backbone
from models.networks.kinds import build_network
from support.tiny import tiny_bundle
from training.assess.card.model_card import write_model_card
from training.job.provenance import Origin, code_version, started_from
from training.screening.serving_champion import ChampionBundle
from training.screening.uploads import Uploads
from training.teaching.teach import teach

SHIPPED = load_domains(names=("faults",))["faults"]
SCRATCH = SHIPPED.training.model_copy(update={"start_from": None})
FAULTS = SHIPPED.model_copy(update={"training": SCRATCH})


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDomain:
    """Starts from backbone sounds, whose licence is one's own."""
    assert isinstance(FAULTS, AudioDomain)
    monkeypatch.setattr(backbone, "BACKBONES", tmp_path)
    source = FAULTS.source.model_copy(update={"licence": "CC BY-NC 3.0 (ESC-50)"})
    theirs = FAULTS.model_copy(update={"source": source})
    write_backbone(tmp_path / "sounds", theirs, build_network(FAULTS).state_dict(), {})
    training = FAULTS.training.model_copy(update={"start_from": "sounds"})
    return FAULTS.model_copy(update={"training": training})


def test_a_bundle_tells_its_backbone_in_its_cards_and_teaching_does_not_forget_it(
    domain: AudioDomain, tmp_path: Path
) -> None:
    found = started_from(domain)
    assert found
    assert (found["name"], found["licence"]) == ("sounds", "CC BY-NC 3.0 (ESC-50)")
    origin = Origin("full", "0" * 64, None, 1.0, 1, 1, 24, found)
    bundle = tiny_bundle(tmp_path / "bundle", FAULTS, **origin.card_fields(FAULTS))
    written = write_model_card(bundle, None, tmp_path / "cards").read_text(encoding="utf-8")
    assert f"backbone sounds, `{found['sha256'][:12]}`: CC BY-NC 3.0 (ESC-50)" in written
    size = FAULTS.network.embedding
    nothing = Uploads((), np.zeros((0, 1, size), np.float32), np.zeros((0, 1), np.int64), ())
    taught = teach(ChampionBundle(bundle, "1"), nothing, FAULTS, "0" * 64, tmp_path / "taught")
    assert taught.card.training.backbone == found


def test_what_starts_from_scratch_or_is_older_names_no_backbone(tmp_path: Path) -> None:
    assert started_from(FAULTS) is None
    bundle = tiny_bundle(tmp_path / "bundle", FAULTS)
    assert bundle.card.training.backbone is None


def test_code_that_was_changed_since_its_commit_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.job.provenance.CHECKOUT", tmp_path)
    assert code_version() == "unknown"
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert len(code_version()) >= 7
    (tmp_path / "new.py").write_text("")
    subprocess.run(["git", "add", "new.py"], cwd=tmp_path, check=True)
    assert code_version().endswith("-dirty")
