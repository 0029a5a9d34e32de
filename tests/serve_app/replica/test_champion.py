"""The model a replica serves: what it starts with, and what may take its place."""

import asyncio
from pathlib import Path

import pytest

from data.domains.domain import load_domains
from data.errors import DeadlineExceeded, NotReady, UnsupportedClip
from data.home import Home, home_from_env
from models.bundle import file_bytes, keep
from serve_app.replica import champion as module
from serve_app.replica.champion import Champion, load_served
from serve_app.replica.champion_pointer import Pointer, write_pointer
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from support.inputs.sounds import tone
from support.tiny import tiny_bundle

KEYWORDS = load_domains(names=("keywords",))["keywords"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(module, "PRETRAINED", tmp_path / "nothing shipped")
    return home_from_env({"TELLTALE_HOME": str(tmp_path / "home")})


def version(folder: Path, number: str, seed: int) -> tuple[Pointer, dict[str, bytes]]:
    bundle = tiny_bundle(folder / number, KEYWORDS, seed=seed)
    return Pointer("keywords", number, bundle.digest), file_bytes(bundle)


def follow(champion: Champion, pointer: Pointer, files: dict[str, bytes]) -> None:
    async def fetch(digest: str) -> dict[str, bytes]:
        assert digest == pointer.digest
        return files

    asyncio.run(champion.follow(pointer, fetch))


async def away(digest: str) -> dict[str, bytes]:
    raise NotReady("the curator does not answer")


def test_a_replica_without_any_model_says_what_to_do(home: Home) -> None:
    champion = Champion("keywords", home)
    asyncio.run(champion.start(None, away))
    assert not champion.loaded
    with pytest.raises(NotReady, match="upload labelled clips"):
        _ = champion.served


def test_a_replica_follows_and_names_version_and_digest(home: Home, tmp_path: Path) -> None:
    champion = Champion("keywords", home)
    for number, seed in (("1", 1), ("2", 2)):
        pointer, files = version(tmp_path, number, seed)
        follow(champion, pointer, files)
        assert (champion.served.version, champion.served.digest) == (number, pointer.digest)
    assert champion.swaps == 2


def test_a_replica_born_while_the_curator_is_away_takes_the_last_pointer(
    home: Home, tmp_path: Path
) -> None:
    pointer, files = version(tmp_path, "7", 1)
    keep(home.bundles, files)
    write_pointer(home, pointer)
    champion = Champion("keywords", home)
    asyncio.run(champion.start(None, away))
    assert champion.served.version == "7"


def test_a_replica_takes_what_is_shipped_when_nothing_else_can_be_had(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bundle(tmp_path / "pretrained" / "keywords", KEYWORDS)
    monkeypatch.setattr(module, "PRETRAINED", tmp_path / "pretrained")
    champion = Champion("keywords", home)
    asyncio.run(champion.start(Pointer("keywords", "9", "f" * 64), away))
    assert champion.served.version == "shipped"
    assert champion.load_error is not None


def test_a_damaged_version_leaves_the_old_one_serving_and_is_not_tried_every_second(
    home: Home, tmp_path: Path
) -> None:
    champion = Champion("keywords", home)
    follow(champion, *version(tmp_path, "1", 1))
    pointer, files = version(tmp_path, "2", 2)
    damaged = files | {"head.safetensors": files["head.safetensors"][:-1] + b"!"}
    for _ in range(3):
        follow(champion, pointer, damaged)
    assert champion.served.version == "1"
    assert champion.failures == 1
    assert champion.load_error is not None
    assert "head.safetensors" in champion.load_error


def test_what_went_wrong_is_told_without_paths_or_traces(home: Home) -> None:
    champion = Champion("keywords", home)

    async def broken(digest: str) -> dict[str, bytes]:
        raise OSError(5, "/a/secret/path")

    asyncio.run(champion.follow(Pointer("keywords", "1", "f" * 64), broken))
    assert champion.load_error is not None
    assert "secret" not in champion.load_error


def clip(deadline: float = float("inf"), raw: bytes = b"") -> Item:
    return Item(raw or tone(seconds=1, rate_hz=8000), 0.0, deadline)


def test_a_batch_is_answered_by_one_version_each_clip_for_itself(tmp_path: Path) -> None:
    served = load_served(tiny_bundle(tmp_path / "b", KEYWORDS).path, "1")
    outcomes = answer_batch(served, [clip(), clip(raw=b"no sound"), clip()])
    assert [type(outcome) for outcome in outcomes] == [ScoredClip, UnsupportedClip, ScoredClip]
    assert {o.served.version for o in outcomes if isinstance(o, ScoredClip)} == {"1"}


def test_a_clip_whose_deadline_has_passed_is_not_computed(tmp_path: Path) -> None:
    served = load_served(tiny_bundle(tmp_path / "b", KEYWORDS).path, "1")
    outcomes = answer_batch(served, [clip(deadline=0.0), clip()])
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded, ScoredClip]
