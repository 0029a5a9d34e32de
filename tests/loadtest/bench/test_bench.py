"""The command of the comparison: what is measured, in which order, and one small run of it."""

import argparse
import socket

import pytest

from data.errors import UnsupportedClip
from loadtest.bench import __main__ as bench
from loadtest.bench.measure import Case, cases, looped, rounds
from loadtest.bench.peers.inference import BUNDLE as KERNELS
from loadtest.bench.servers import NAMES, SERVERS, TITLES, Server, refuse_disagreement, standing
from loadtest.clip import MAIN, in_formats
from models.bundle import PRETRAINED

NAMED = tuple(in_formats())
BUNDLE = PRETRAINED / "faults"


@pytest.fixture
def free_port() -> int:
    """Known to be free, and the no-op server's, which is the first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_quick_is_the_headline_and_everything_else_adds_clips_and_bodies() -> None:
    assert cases((1, 32), NAMED, quick=True) == [
        Case(MAIN, "form", 1),
        Case(MAIN, "form", 32),
    ]
    full = cases(bench.CONNECTIONS, NAMED, quick=False)
    assert len(set(full)) == len(full) == 4 + 4 + 1
    assert Case(MAIN, "raw", 32) in full


def test_an_unknown_server_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        bench.parsed(["--only", "raw,nginx"])
    assert "['nginx'] unknown; there are loop, noop, raw" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["--clip", "no/such.wav"], "no/such.wav cannot be read"),
        (["--rounds", "0"], "must be a whole number above 0, got 0"),
        (["--connections", "1,many"], "must be a whole number above 0, got many"),
    ],
)
def test_a_mistake_is_said_before_anything_starts(
    words: list[str], mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench.parsed(words)
    assert mistake in capsys.readouterr().err


def test_a_taken_port_is_refused(free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with (
            pytest.raises(RuntimeError, match="is taken; choose others with --port"),
            standing(("noop",), free_port, in_formats()[MAIN]),
        ):
            pass


def test_where_nobody_is_left_there_is_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Server, "python", "")
    with (
        pytest.raises(RuntimeError, match="nobody is left to be measured"),
        standing(("litserve",), 8140, b""),
    ):
        pass
    assert "litserve is left out" in capsys.readouterr().out


def test_a_bare_loop_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNELS, str(BUNDLE))
    with pytest.raises(UnsupportedClip, match="a PDF document"):
        looped(b"%PDF-1.7", 1)


def test_every_server_has_a_title_of_its_own() -> None:
    assert len({*TITLES.values()}) == len(NAMES) == len(SERVERS) + 1


def test_servers_that_answer_differently_are_not_compared() -> None:
    refuse_disagreement({"raw": "fluid", "telltale": "fluid"})
    with pytest.raises(RuntimeError, match="not serve the same model.*'telltale': 'normal'"):
        refuse_disagreement({"raw": "fluid", "telltale": "normal"})


@pytest.mark.deploy
def test_one_small_run_from_start_to_figures(free_port: int) -> None:
    options = argparse.Namespace(
        only=("loop", "noop"), connections=(2,), rounds=1, seconds=1, quick=True
    )
    sounds = {MAIN: in_formats()[MAIN]}
    with standing(options.only, free_port, sounds[MAIN]) as up:
        loop, noop = rounds(up, sounds, options)
    assert loop["answered"] > 10
    assert noop["answered"] > 10
    assert noop["errors"] == {}
    assert sum(noop["cpu_ms"].values()) > 0
    assert sum(noop["memory_mib"].values()) > 1
    assert up["noop"].start_up_s > 0
