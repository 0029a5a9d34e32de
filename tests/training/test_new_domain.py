"""telltale new: from a folder of labelled clips to a domain that can be served."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from data.domains.domain import AudioDomain, load_domain, load_domains
from data.home import home_from_env
from models.registry.registry import Registry
from support.inputs.pictures import cracked
from support.inputs.sounds import bursts, wav
from support.inputs.toy_photographs import toy_photo_domain, toy_photographs
from support.tiny import tiny_bundle
from training import retrain
from training.new_domain import described, main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("CONFIGS", "DATASETS"):  # what the command sets ends with the test
        monkeypatch.setenv(f"TELLTALE_{name}", "")
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o022)
    yield tmp_path
    os.umask(mask)


def pumps(root: Path, rate_hz: int = 8_000, seconds: float = 1.2, takes: int = 6) -> Path:
    folder = root / "sounds" / "Pumps"
    for place, label in enumerate(("dry", "normal")):
        (folder / label).mkdir(parents=True)
        for take in range(takes):
            samples = bursts(100 * place + take, seconds, rate_hz)
            (folder / label / f"{take}.wav").write_bytes(wav(samples, rate_hz))
    return folder


def test_it_writes_the_file_once_trains_it_and_says_how_to_serve_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ran = pumps(here), []

    def train(arguments: Sequence[str]) -> int:
        ran.append(list(arguments))
        domain = load_domains(names=("pumps",))["pumps"]
        home = home_from_env()
        bundle = tiny_bundle(home.runs / "made", domain)
        registry = Registry(home.tracking_uri, home.artifact_root)
        registry.promote("pumps", registry.register(bundle, run_id=None, tags={}).number)
        return 0

    monkeypatch.setattr(retrain, "main", train)
    assert main([str(folder), "--epochs", "2"]) == 0
    assert ran == [["pumps", "--mode", "full", "--workers", "1", "--epochs", "2"]]
    said = capsys.readouterr().out
    assert f"export TELLTALE_CONFIGS={here}/domains TELLTALE_DATASETS={here}/sounds" in said
    assert said.endswith("telltale serve\n")
    file = here / "domains" / "pumps.yaml"
    assert load_domain(file).labels == ("dry", "normal")
    before = file.read_text(encoding="utf-8")
    assert main([str(folder)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == before


def test_without_a_first_champion_it_says_to_train_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retrain, "main", lambda arguments: 0)
    assert main([str(pumps(here))]) == 1
    printed = capsys.readouterr()
    assert "telltale retrain pumps --mode full" in printed.err
    assert "telltale serve" not in printed.out


@pytest.mark.parametrize(
    ("rate_hz", "heard_hz", "backbone"), [(8_000, 8_000, None), (44_100, 16_000, "sounds")]
)
def test_rate_and_window_are_those_of_the_clips(
    here: Path, rate_hz: int, heard_hz: int, backbone: str | None
) -> None:
    domain, _ = described(pumps(here, rate_hz, seconds=2.34), "pumps", "my own")
    assert isinstance(domain, AudioDomain)
    assert (domain.input.sample_rate_hz, domain.input.window_s) == (heard_hz, 2.4)
    assert domain.start_from == backbone
    assert (domain.title, domain.source.dataset) == ("Pumps", "Pumps")


@pytest.mark.parametrize("rate_hz", [4_000, 11_025])
def test_uncommon_rates_make_a_valid_file_too(here: Path, rate_hz: int) -> None:
    domain, _ = described(pumps(here, rate_hz), "pumps", "my own")
    assert isinstance(domain, AudioDomain)
    assert domain.input.sample_rate_hz == rate_hz


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(pumps(here)), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "8,000 samples a second, windows of 1.2 s" in said
    assert "labels: [dry, normal]" in said
    assert not (here / "domains").exists()
    assert not (here / "home").exists()


def test_one_sound_under_two_labels_is_trained_on_only_if_somebody_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pumps(here)
    twin = wav(0.5 * bursts(0, 1.2), 8_000)
    (folder / "normal" / "twin.wav").write_bytes(twin)
    assert main([str(folder)]) == 1
    printed = capsys.readouterr()
    assert "normal/twin.wav" in printed.out
    assert "--yes" in printed.err
    assert not (here / "domains").exists()


def test_whoever_is_asked_may_answer_or_leave(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pumps(here)
    (folder / "normal" / "twin.wav").write_bytes(wav(0.5 * bursts(0, 1.2), 8_000))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for said in ("no\n", ""):
        monkeypatch.setattr("builtins.input", lambda question, said=said: answer(said))
        assert main([str(folder)]) == 1
        assert "nothing was written" in capsys.readouterr().err
    monkeypatch.setattr("builtins.input", lambda question: "y")
    monkeypatch.setattr(retrain, "main", lambda arguments: 0)
    main([str(folder)])
    assert (here / "domains" / "pumps.yaml").exists()


def answer(said: str) -> str:
    """As `input` does: the end of the input is no answer."""
    if not said:
        raise EOFError
    return said


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main([str(folder), "--dry-run", *options]) == 1
    return capsys.readouterr().err


def test_what_cannot_be_learnt_from_is_refused_in_words(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pumps(here, takes=3)
    assert "shipped domain" in refusal(folder, capsys, "--name", "faults")
    assert "--name" in refusal(folder, capsys, "--name", "7 pumps")
    (folder / "dry" / "notes.txt").write_text("of last week")
    assert "move them away:\n  dry/notes.txt" in refusal(folder, capsys)
    (folder / "dry" / "notes.txt").unlink()
    (folder / "dry" / "0.wav").unlink()
    assert "'dry' has 2 clip(s)" in refusal(folder, capsys)
    assert "no folder" in refusal(here / "nowhere", capsys)
    renamed = folder.rename(folder.with_name(os.fsdecode(b"L\xfcfter")))
    assert "'L\xfcfter' is not UTF-8" in refusal(renamed, capsys, "--name", "fans")


def test_photographs_need_masks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("rust", "none"):
        (here / "walls" / label).mkdir(parents=True)
        for take in range(3):
            (here / "walls" / label / f"{take}.png").write_bytes(cracked(take)[0])
    assert "6 of 6 files are photographs, and there is no list of masks" in refusal(
        here / "walls", capsys
    )
    toy_photographs(here / "data", toy_photo_domain(1))
    assert main([str(here / "data" / "cracks"), "--name", "rust", "--dry-run"]) == 0
    assert "labels: [no rust, rust]" in capsys.readouterr().out


def test_any_list_with_masks_that_training_reads_makes_a_domain_of_photographs(here: Path) -> None:
    folder = toy_photographs(here / "data", toy_photo_domain(1)) / "cracks"
    rows = (folder / "manifest.csv").read_text(encoding="utf-8").replace(",", ";")
    (folder / "metadata.csv").write_text(rows, encoding="utf-16")
    (folder / "manifest.csv").unlink()
    domain, _ = described(folder, "stains", "")
    assert domain.labels == ("no stains", "stains")
