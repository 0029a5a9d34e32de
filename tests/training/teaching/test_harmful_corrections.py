"""A bad batch waits for a person, with the reason, and does not block what is right."""

from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from data.datasets.backgrounds import backgrounds
from data.datasets.sources import Example, examples
from data.domains.domain import Domain, load_domains
from data.home import Home, home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import PRETRAINED
from models.registry.registry import Registry
from support.corrections import add_correction
from support.tiny import fresh_registry
from training.job.run import RetrainRun
from training.job.run_progress import Progress
from training.retrain import retrain
from training.trial.conditions import telephone


class Teacher:
    """People, and the runs that learn from them, on the shipped model of machine faults."""

    def __init__(self, folder: Path) -> None:
        self.domain: Domain = load_domains(names=("faults",))["faults"]
        self.home: Home = home_from_env({"TELLTALE_HOME": str(folder)})
        self.registry: Registry = fresh_registry(folder)
        self.store = Store.open(self.home.database_url, self.home.storage_uri)

    def send(self, raw: bytes, label: str) -> str:
        new = NewClip(raw, "faults", label, None, "accepted", "test", 5.0, 16000)
        clip = self.store.clips.add(new, who="ann")[0].sha256
        add_correction(
            self.store,
            domain="faults",
            clip_sha256=clip,
            predicted="normal",
            confidence=0.5,
            corrected=label,
            version="shipped",
            state="accepted",
            reason="",
            who="ann",
        )
        return clip

    def teach(self, name: str, *, may_promote: bool = True) -> dict[str, Any]:
        runs = self.store.runs
        runs.start(name, domain="faults", mode="teach", reason="", who="ann")
        progress = Progress(self.store, name, "faults", "ann", lambda line: None)
        progress.started("teach")
        run = RetrainRun(
            self.domain,
            self.home,
            self.store,
            self.registry,
            progress,
            None,
            PRETRAINED,
            0,
        )
        return retrain(run, "teach", None, may_promote)

    def send_again(self, row: Example) -> str:
        """By telephone, which the model has never heard, with the right label."""
        samples, rate_hz = soundfile.read(row.path, dtype="float32")
        raw = BytesIO()
        heard = telephone(samples, rate_hz, np.random.default_rng(0))
        soundfile.write(raw, heard, rate_hz, format="FLAC")
        return self.send(raw.getvalue(), row.label)

    def send_hiss(self, label: str) -> set[str]:
        sent = set()
        for samples in islice(backgrounds(80_000, 16_000, 2, seed=7), 12):
            raw = BytesIO()
            soundfile.write(raw, 0.1 * samples, 16_000, format="WAV")
            sent.add(self.send(raw.getvalue(), label))
        return sent

    def state(self, clip: str) -> str:
        return self.store.clips.get("faults", clip).state


def test_a_microphone_where_nothing_happens_is_not_learnt_as_a_fault(
    tmp_path: Path, datasets: Path
) -> None:
    """The exam has no such sounds, and would not mind."""
    teacher = Teacher(tmp_path)
    sent = teacher.send_hiss("fluid")
    result = teacher.teach("one")
    assert not result["promoted"]
    assert set(result["held_back"]) == sent
    reasons = [teacher.store.clips.get("faults", clip).reason for clip in sent]
    assert any("on which nothing happens" in reason for reason in reasons)
    assert {teacher.state(clip) for clip in sent} == {"quarantined"}


def test_a_microphone_where_nothing_happens_does_not_take_right_corrections_with_it(
    tmp_path: Path, datasets: Path
) -> None:
    teacher = Teacher(tmp_path)
    rows = [row for row in examples(teacher.domain, datasets) if row.split == "train"]
    fluid = [row for row in rows if row.label == "fluid"]
    right = [teacher.send_again(row) for row in [*rows[200:203], *fluid[:3]]]
    hiss = teacher.send_hiss("fluid")
    result = teacher.teach("one")
    assert result["promoted"], result["reasons"]
    assert set(result["held_back"]) <= hiss
    assert {teacher.state(clip) for clip in right} == {"accepted"}
    held = teacher.store.clips.get("faults", result["held_back"][0])
    assert "on which nothing happens" in held.reason


def test_a_bad_batch_is_held_back_and_the_next_right_correction_goes_live(
    tmp_path: Path, datasets: Path
) -> None:
    teacher = Teacher(tmp_path)
    rows = [row for row in examples(teacher.domain, datasets) if row.split == "train"]
    electrical = [row for row in rows if row.label == "electrical"]
    bad = [teacher.send(row.path.read_bytes(), "fluid") for row in electrical[:12]]
    good = [teacher.send_again(row) for row in rows[200:203]]

    first = teacher.teach("first")
    assert first["promoted"], (first["reasons"], len(first["held_back"]))
    assert set(bad) >= set(first["held_back"])
    assert len(first["held_back"]) >= 10
    assert {teacher.state(clip) for clip in good} == {"accepted"}
    held = teacher.store.clips.get("faults", first["held_back"][0])
    assert held.state == "quarantined"
    assert held.reason.startswith("held back: with it the model does worse on what it had learnt")
    assert held.reason.endswith("accepted again, it is left to a full training")
    receipts = teacher.store.feedback.find("faults", state="quarantined")
    assert {each.clip_sha256 for each in receipts} == set(first["held_back"])

    right = teacher.send_again(rows[220])
    second = teacher.teach("second")
    assert second["promoted"], second["reasons"]
    assert teacher.state(right) == "accepted"

    teacher.store.clips.set_state("faults", first["held_back"][0], "accepted", who="admin")
    third = teacher.teach("third")
    assert third["reasons"] == ["there is nothing new to learn"]
    assert teacher.state(first["held_back"][0]) == "accepted", "it waits for a full training"


def test_a_verdict_tells_how_worn_the_exam_is_and_what_fresh_corrections_say(
    tmp_path: Path, datasets: Path
) -> None:
    teacher = Teacher(tmp_path)
    rows = [row for row in examples(teacher.domain, datasets) if row.split == "train"]
    for place in (100, 200):
        teacher.send_again(rows[place])
        outcome = teacher.teach(f"run{place}")
    told = " ".join(outcome["reasons"])
    assert "the exam has judged 2 versions, 2 of them since a full training" in told
    assert "of 2 corrections, asked before they were learnt" in told
    assert outcome["pull"] == 1.0, "one group leaves none out to choose by"
    assert outcome["unseen_loss"] == {}


def test_a_rehearsal_holds_nothing_back(tmp_path: Path, datasets: Path) -> None:
    teacher = Teacher(tmp_path)
    rows = [row for row in examples(teacher.domain, datasets) if row.split == "train"]
    electrical = [row for row in rows if row.label == "electrical"]
    bad = [teacher.send(row.path.read_bytes(), "fluid") for row in electrical[:12]]
    outcome = teacher.teach("rehearsal", may_promote=False)
    assert not outcome["promoted"]
    assert outcome["held_back"] == []
    assert {teacher.state(clip) for clip in bad} == {"accepted"}


def test_what_a_person_decides_meanwhile_stands(tmp_path: Path, datasets: Path) -> None:
    teacher = Teacher(tmp_path)
    row = next(row for row in examples(teacher.domain, datasets) if row.split == "train")
    clip = teacher.send_again(row)
    clips = teacher.store.clips
    clips.set_state("faults", clip, "rejected", who="admin", reason="a test tone")
    clips.hold_back("faults", clip, row.label, who="ann", reason="held back")
    assert teacher.state(clip) == "rejected"
