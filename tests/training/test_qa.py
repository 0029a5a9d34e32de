"""python -m training.qa: doubtful labels are told, and flagged where the clip is kept."""

from pathlib import Path

import pytest

from data.home import home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.tiny import tiny_champion
from training.qa import main


def keep(
    store: Store, raw: bytes, label: str, domain: str = "keywords", mask: bytes | None = None
) -> str:
    new = NewClip(
        raw,
        domain=domain,
        label=label,
        group=None,
        state="accepted",
        source="upload",
        duration_s=1.0,
        sample_rate_hz=8_000,
        mask=mask,
    )
    return store.clips.add(new, who="anna")[0].sha256


def test_a_wrong_label_is_flagged_and_goes_when_it_is_put_right(
    found_store: Store, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = datasets / "keywords" / "three" / "3_theo_1.flac"
    wrong = keep(found_store, clip.read_bytes(), "seven")
    keep(found_store, b"no sound", "seven")
    assert main(["keywords", "--dry-run"]) == 0
    assert found_store.flags.find("keywords") == []
    assert main(["keywords"]) == 0
    said = capsys.readouterr().out
    assert f"{wrong[:12]} (seven): more likely 'three'" in said
    (flag,) = found_store.flags.find("keywords")
    assert (flag.sha256, flag.kind) == (wrong, "label")
    found_store.clips.relabel("keywords", wrong, "three", who="admin")
    assert main(["keywords"]) == 0
    assert found_store.flags.find("keywords") == []


def test_an_unknown_domain_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whales"]) == 1
    assert "there is no domain 'whales'; the domains are" in capsys.readouterr().err


def test_a_clip_that_nobody_can_hear_does_not_stop_the_others(found_store: Store) -> None:
    keep(found_store, b"no sound", "seven")
    keep(found_store, tone(rate_hz=8_000), "seven")
    assert main(["keywords"]) == 0


def test_masks_of_photographs_are_looked_at_beside_those_that_the_champion_remembers(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    champion = tiny_champion(home_from_env().root, "cracks")
    known = len(champion.exam().clip_ids) + len(champion.memory().clip_ids)
    photograph, mask = cracked(1)
    keep(found_store, photograph, "crack", "cracks", mask)
    keep(found_store, b"no photograph", "crack", "cracks", mask)
    assert main(["cracks"]) == 0
    assert f"of {known + 1} labels are doubtful" in capsys.readouterr().out
