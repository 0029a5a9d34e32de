"""The one command: it teaches its words, and starts what `python -m` starts."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import telltale
from data.install_paths import CODE


def run(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "telltale", *words],
        env={**os.environ, "PYTHONPATH": str(CODE), "TELLTALE_HOME": str(cwd / "home")},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("--help",), ("help",)])
def test_help_names_every_command_and_gives_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["telltale", *words])
    assert telltale.main() == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in telltale.COMMANDS)
    assert "telltale predict --domain keywords clip.wav" in said


def test_every_command_is_there() -> None:
    for command in telltale.COMMANDS.values():
        found = importlib.util.find_spec(command.module)
        assert found, command.module
        if found.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{command.module}.__main__"), command.module


def test_a_command_reads_its_own_words_and_names_itself(tmp_path: Path) -> None:
    listed = run("data", "fetch", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "fsdd" in listed.stdout
    assert run("data", "--help", cwd=tmp_path).stdout.startswith("usage: telltale data ")
    assert "usage: telltale key " in run("key", cwd=tmp_path).stderr


@pytest.mark.parametrize("name", ["chaos", "open-loop", "reexport"])
def test_usage_says_how_a_person_calls_it(name: str, tmp_path: Path) -> None:
    assert run(name, "--help", cwd=tmp_path).stdout.startswith(f"usage: telltale {name} ")


def test_the_report_is_also_among_the_commands_of_data(tmp_path: Path) -> None:
    found = run("data", "report", "--help", cwd=tmp_path)
    assert found.stdout.startswith("usage: telltale report "), found.stderr


def test_an_unknown_command_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    refused = run("prophesy", cwd=tmp_path)
    assert refused.returncode == 2
    assert "'prophesy'; there are new, serve, predict, " in refused.stderr
