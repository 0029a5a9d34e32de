"""retrain.py: from people's corrections to a version, on a toy data set."""

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.domains.domain import Domain, Mode, load_domains, of_sounds
from data.home import Home, home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import Bundle, load_bundle
from models.registry.registry import Version
from support.corrections import add_correction
from support.inputs.sounds import tone
from support.inputs.toy_dataset import TEST, TRAIN, toy_clip, toy_dataset, toy_domain
from support.tiny import fresh_registry, tiny_bundle
from training.assess.examine import from_clips, from_embeddings
from training.assess.gate import Verdict
from training.job.inputs import dry_run
from training.job.lifecycle import attempt, sweep
from training.job.run import Challenger, RetrainRun
from training.job.run_progress import Progress
from training.job.tracking import Tracker
from training.retrain import advisory_reasons, main, retrain


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """`main` takes SIGTERM over."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def domain() -> Domain:
    return toy_domain(load_domains(names=("faults",))["faults"], epochs=15)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home_from_env({"TELLTALE_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def dataset(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_dataset(tmp_path_factory.mktemp("datasets"), domain)


@pytest.fixture(scope="module")
def store(home: Home) -> Iterator[Store]:
    opened = Store.open(home.database_url, home.storage_uri)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def make_run(home: Home, store: Store, domain: Domain, dataset: Path) -> Any:
    registry = fresh_registry(home.root)

    def make(run_id: str, mode: Mode, lines: list[str]) -> RetrainRun:
        store.runs.start(run_id, domain=domain.name, mode=mode, reason="test", who="anna")
        progress = Progress(store, run_id, domain.name, "anna", lines.append)
        progress.started(mode)
        return RetrainRun(
            domain, home, store, registry, progress, dataset, home.root / "none", workers=0
        )

    return make


def send(store: Store, domain: Domain, raw: bytes, label: str, group: str | None = None) -> str:
    window_s = of_sounds(domain).input.window_s
    clip = NewClip(raw, domain.name, label, group, "accepted", "upload", window_s, 16000)
    return store.clips.add(clip, who="anna")[0].sha256


def odd_clip(domain: Domain, number: int) -> bytes:
    """Unlike any clip of the data set."""
    sizes = of_sounds(domain).input
    return tone(1200 + 10 * number, sizes.window_s * 0.5, sizes.sample_rate_hz, seed=777 + number)


@pytest.fixture(scope="module")
def full(make_run: Any, store: Store, domain: Domain, dataset: Path) -> dict[str, Any]:
    """One full retrain, with an upload worth learning and one that copies an exam clip."""
    lines: list[str] = []
    new = send(store, domain, toy_clip(domain, "fluid", 999), "fluid")
    exam_clip = dataset / domain.source.dataset / f"fluid_{TRAIN}.wav"
    copied = send(store, domain, exam_clip.read_bytes(), "fluid")
    said = add_correction(
        store,
        domain=domain.name, clip_sha256=copied, predicted="normal", confidence=0.5,
        corrected="fluid", version="1", state="accepted", reason="", who="anna",
    )  # fmt: skip
    run = make_run("full", "full", lines)
    assert attempt(run.progress, run.home, lambda: retrain(run, "full", None, True)) == 0
    result = store.runs.get("full").result
    bundle = load_bundle(run.registry.fetch(run.registry.champion(domain.name), run.home.bundles))
    return {
        "run": run, "result": result, "bundle": bundle, "lines": lines, "new": new,
        "copied": copied, "receipt": said.receipt,
    }  # fmt: skip


def test_a_full_retrain_ends_in_a_champion_that_knows_the_tones(full: dict[str, Any]) -> None:
    assert full["result"]["promoted"]
    assert full["result"]["challenger"]["macro_f1"] > 0.5
    assert full["bundle"].card.metrics.exam.macro_f1 == full["result"]["challenger"]["macro_f1"]


def test_uploads_are_learnt_from_but_never_examined(full: dict[str, Any], domain: Domain) -> None:
    memory, exam = full["bundle"].memory(), full["bundle"].exam()
    assert full["new"] in memory.clip_ids
    assert full["new"] not in exam.clip_ids
    assert len(exam.clip_ids) == TEST * len(domain.labels)


def test_a_copy_of_an_exam_clip_is_refused_and_the_reason_is_said(full: dict[str, Any]) -> None:
    assert full["copied"] not in full["bundle"].memory().clip_ids
    assert any("clip of the exam" in line for line in full["lines"])


def test_the_receipt_of_a_clip_that_was_left_out_says_why(
    full: dict[str, Any], store: Store, domain: Domain
) -> None:
    told = store.feedback.get(full["receipt"])
    assert told.state == "rejected"
    assert "clip of the exam" in told.reason
    assert told.learnt_version is None
    assert store.clips.get(domain.name, full["copied"]).state == "rejected"


def test_memory_and_exam_have_no_clip_in_common(full: dict[str, Any]) -> None:
    assert not set(full["bundle"].memory().clip_ids) & set(full["bundle"].exam().clip_ids)


def test_the_card_says_what_the_clips_themselves_say(full: dict[str, Any], dataset: Path) -> None:
    card = full["bundle"].card
    assert card.metrics.exam == from_embeddings(full["bundle"])
    again = from_clips(full["bundle"], dataset)
    assert abs(again.accuracy - card.metrics.exam.accuracy) <= 1 / card.split.exam + 1e-9


def test_progress_is_told_step_by_step_and_ends_in_one_sentence(
    full: dict[str, Any], store: Store, domain: Domain
) -> None:
    events = store.events.find(subject="run:full", limit=1000)
    kinds = [event.kind for event in events]
    assert kinds[:2] == ["queued", "started"]
    assert kinds.count("epoch") == full["bundle"].card.training.epochs
    steps = [event.detail["step"] for event in events if event.kind == "step"]
    assert steps == ["snapshot", "screen", "decode", "train", "pack", "gate", "register"]
    fractions = [float(str(event.detail["fraction"])) for event in events if event.kind == "step"]
    assert fractions == sorted(fractions)
    assert set(full["result"]["seconds"]) == set(steps)
    assert full["result"]["message"].startswith(f"{domain.title}: version 1 is now the champion")


def test_decoded_clips_do_not_outlive_the_run(full: dict[str, Any]) -> None:
    assert not any(full["run"].home.runs.iterdir())


@pytest.fixture(scope="module")
def taught(full: dict[str, Any], make_run: Any, store: Store, domain: Domain) -> dict[str, Any]:
    """Somebody says that a tone between electrical and fluid is in truth mechanical."""
    lines: list[str] = []
    sha256 = send(store, domain, odd_clip(domain, 0), "mechanical")
    receipt = add_correction(
        store,
        domain=domain.name, clip_sha256=sha256, predicted="electrical", confidence=0.9,
        corrected="mechanical", version="1", state="accepted", reason="", who="anna",
    )  # fmt: skip
    run = make_run("teach", "teach", lines)
    started = time.process_time()
    result = retrain(run, "teach", None, may_promote=True)
    cpu_s = time.process_time() - started
    return {
        "run": run, "result": result, "receipt": receipt.receipt, "clip": sha256, "cpu_s": cpu_s,
    }  # fmt: skip


def test_teaching_is_done_in_seconds_without_the_backbone_changing(
    taught: dict[str, Any], full: dict[str, Any], domain: Domain
) -> None:
    run = taught["run"]
    version = run.registry.versions(domain.name)[0]
    bundle = load_bundle(run.registry.fetch(version, run.home.bundles))
    assert bundle.card.mode == "teach"
    assert bundle.card.parent == full["bundle"].digest
    assert bundle.card.files["backbone.onnx"] == full["bundle"].card.files["backbone.onnx"]
    assert taught["clip"] in bundle.memory().clip_ids
    means = bundle.card.training.log_mel_means
    assert means == full["bundle"].card.training.log_mel_means
    assert set(means or ()) == set(domain.labels)
    assert taught["cpu_s"] < 30


def test_a_receipt_tells_what_the_new_version_says(taught: dict[str, Any], store: Store) -> None:
    told = store.feedback.get(taught["receipt"])
    assert told.snapshot is not None
    if taught["result"]["promoted"]:
        assert told.learnt_version == taught["result"]["version"]
        assert told.after_label == "mechanical"


def test_a_version_carries_the_verdict_and_its_reasons(
    taught: dict[str, Any], domain: Domain
) -> None:
    version = taught["run"].registry.versions(domain.name)[0]
    assert version.tags["verdict"] in ("promoted", "refused")
    assert json.loads(version.tags["reasons"]) == taught["result"]["reasons"]


def test_a_run_killed_and_started_again_goes_on_in_its_own_mlflow_run(
    taught: dict[str, Any], domain: Domain
) -> None:
    run = taught["run"]
    send(run.store, domain, odd_clip(domain, 1), "mechanical")
    before = len(run.registry.client.search_runs([run.registry.experiment(domain.name)]))
    retrain(run, "teach", None, may_promote=False)
    after = len(run.registry.client.search_runs([run.registry.experiment(domain.name)]))
    assert before == after


def test_teaching_what_is_known_already_registers_nothing(
    taught: dict[str, Any], make_run: Any, domain: Domain
) -> None:
    run = make_run("again", "teach", [])
    first = retrain(run, "teach", None, may_promote=False)
    if "version" in first:  # else the gate has promoted what was taught before
        run.registry.promote(domain.name, first["version"])
    versions = len(run.registry.versions(domain.name))
    result = retrain(make_run("and-again", "teach", []), "teach", None, may_promote=True)
    assert result["message"].endswith("there is nothing new to learn; the champion stays.")
    assert len(run.registry.versions(domain.name)) == versions
    assert run.store.clips.count_new(domain.name) == 0


def test_a_champion_that_came_meanwhile_is_compared_with_too(
    full: dict[str, Any], make_run: Any, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("overtaken", "teach", [])
    send(run.store, domain, odd_clip(domain, 2), "mechanical")
    before = run.registry.champion(domain.name)
    register, others = Tracker.register, ["1"]

    def overtaken(tracker: Tracker, bundle: Bundle, verdict: Verdict) -> Version:
        made = register(tracker, bundle, verdict)
        if others:
            run.registry.promote(domain.name, others.pop())
        return made

    assert before.number != "1"
    monkeypatch.setattr(Tracker, "register", overtaken)
    retrain(run, "teach", None, may_promote=False)
    kinds = [event.kind for event in run.store.events.find(subject="run:overtaken")]
    assert kinds.count("verdict") == 2
    run.registry.promote(domain.name, before.number)


@pytest.mark.parametrize("broken", ["missing", "a label that is gone"])
def test_teaching_does_not_need_the_data_set(
    full: dict[str, Any], make_run: Any, domain: Domain, tmp_path: Path, broken: str
) -> None:
    if broken != "missing":
        folder = tmp_path / domain.source.dataset
        folder.mkdir()
        (folder / "manifest.csv").write_text("path,label,group,split\na.wav,squeak,g,test\n")
    name = f"teach-{broken[0]}"
    run = replace(make_run(name, "teach", []), dataset=tmp_path)
    send(run.store, domain, odd_clip(domain, len(broken)), "mechanical")
    assert retrain(run, "teach", None, may_promote=False)["version"]


def test_a_dry_run_changes_nothing(
    full: dict[str, Any], store: Store, domain: Domain, dataset: Path
) -> None:
    run: RetrainRun = full["run"]

    def state() -> tuple[int, int, int]:
        events = store.events.find(after=0, limit=100_000)
        return len(events), len(store.runs.find()), len(run.registry.versions(domain.name))

    exam_clip = dataset / domain.source.dataset / f"fluid_{TRAIN + 1}.wav"
    send(store, domain, exam_clip.read_bytes(), "fluid")
    before = state()
    for mode in ("full", "teach"):
        lines = dry_run(run, mode)
        assert lines[-1] == f"Nothing was changed: this was a dry run of {mode}."
        assert any("clip of the exam" in line for line in lines)
    assert state() == before


def test_a_run_that_fails_says_so_in_words(make_run: Any, store: Store) -> None:
    lines: list[str] = []
    run = replace(make_run("no-data", "full", lines), dataset=None)
    left = run.home.runs / "no-data-0123abcd.clips"
    left.mkdir(parents=True)
    assert attempt(run.progress, run.home, lambda: retrain(run, "full", None, True)) == 1
    ended = store.runs.get("no-data")
    assert ended.state == "failed"
    assert "needs the data set" in lines[-1]
    assert ended.result == {"message": lines[-1]}
    assert not left.exists()


def test_a_run_that_the_service_has_closed_ends_without_a_traceback(
    make_run: Any, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("closed", "teach", [])
    store.runs.update("closed", state="cancelled", who="service")
    assert attempt(run.progress, run.home, lambda: {"message": "done"}) == 1
    assert store.runs.get("closed").state == "cancelled"
    assert "Traceback" not in capsys.readouterr().err


def test_folders_of_finished_runs_are_swept_and_those_of_others_stay(
    make_run: Any, store: Store, tmp_path: Path
) -> None:
    make_run("over", "full", [])
    store.runs.update("over", state="failed", who="service")
    make_run("still-on", "full", [])
    names = ["over-01234567", "over-01234567.clips", "still-on-01234567.clips", "notes"]
    home, bucket = home_from_env({"TELLTALE_HOME": str(tmp_path)}), tmp_path / "bucket"
    for name in names:
        for place in (home.runs, bucket):
            (place / name).mkdir(parents=True)
    sweep(replace(home, checkpoints=bucket.as_uri()), store)
    for place in (home.runs, bucket):
        assert sorted(folder.name for folder in place.iterdir()) == ["notes", names[2]]


@pytest.mark.parametrize("name", [None, "queued-1"])
def test_a_registry_that_is_away_ends_the_run_in_words(
    name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://here")
    home = home_from_env()
    store = Store.open(home.database_url, home.storage_uri)
    if name:
        store.runs.start(name, domain="faults", mode="teach", reason="", who="anna")
    options = ["--run", name] if name else []
    assert main(["faults", "--mode", "teach", *options]) == 1
    (ended,) = store.runs.find()
    assert ended.state == "failed"
    assert (ended.beat is None) == (name is not None)  # no job list knows of one by hand
    store.close()


@pytest.mark.parametrize("option", [["--epochs", "-1"], ["--epochs", "0"], ["--workers", "-2"]])
def test_impossible_numbers_are_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["faults", *option])
    assert "is not a whole number of at least" in capsys.readouterr().err


def test_a_run_that_cannot_start_says_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    assert main(["wombats", "--dry-run"]) == 1
    assert "there is no domain 'wombats'" in capsys.readouterr().err


def test_a_full_training_without_the_other_sounds_of_its_domain_says_so(
    make_run: Any, tmp_path: Path
) -> None:
    run = make_run("lacking", "full", [])
    facts = {"seconds": 0.0, "epochs": 1, "workers": 1}
    for licences, told in (({}, True), ({"esc50": "CC BY-NC"}, False)):
        bank = {"made": 320, "clips": 0 if told else 494, "licences": licences}
        training = {**facts, "other_sounds": bank}
        bundle = tiny_bundle(tmp_path / str(told), run.domain, training=training)
        reasons = " ".join(advisory_reasons(run, Challenger(bundle, ())))
        assert ("remembers no clip of esc50" in reasons) is told


def test_versions_that_were_deleted_have_used_the_exam_too(domain: Domain, tmp_path: Path) -> None:
    def listed(*versions: tuple[str, str]) -> Any:
        found = [SimpleNamespace(number=number, tags={"mode": mode}) for number, mode in versions]
        return SimpleNamespace(domain=domain, registry=SimpleNamespace(versions=lambda _: found))

    challenger = Challenger(tiny_bundle(tmp_path / "b", domain), [])
    runs = {
        "the exam has judged 10 versions, 5 of them": listed(("9", "teach"), ("5", "full")),
        "the exam has judged 4 versions, 4 of them": listed(("3", "teach"), ("1", "teach")),
        "the exam has judged 1 versions, 1 of them": listed(),
    }
    for said, run in runs.items():
        assert advisory_reasons(run, challenger) == (f"{said} since a full training",)
