"""other_versions.py: who asks for another version is answered by it, and few are kept."""

import asyncio
import gc
import time
import weakref
from pathlib import Path

import pytest

from data.domains.domain import load_domains
from data.errors import NotReady, UnknownName, UnsupportedClip
from data.home import home_from_env
from models.bundle import Bundle, file_bytes
from serve_app.replica import other_versions
from serve_app.replica.champion import LoadedVersion, load_served
from serve_app.replica.other_versions import OtherVersions
from serve_app.replica.scoring import Item, ScoredClip
from support.inputs.sounds import tone
from support.tiny import tiny_bundle

KEYWORDS = load_domains(names=("keywords",))["keywords"]
LABELS = {"1": "zero", "2": "one", "3": "seven"}


class Registry:
    """Three versions, each of which always answers its own label."""

    def __init__(self, folder: Path) -> None:
        bundles = {n: tiny_bundle(folder / n, KEYWORDS, always=LABELS[n]) for n in LABELS}
        self.known = {number: bundle.digest for number, bundle in bundles.items()}
        self._files = {bundle.digest: file_bytes(bundle) for bundle in bundles.values()}
        self.fetched: list[str] = []

    async def digests(self) -> dict[str, str]:
        return self.known

    async def fetch(self, digest: str) -> dict[str, bytes]:
        self.fetched.append(digest)
        return self._files[digest]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def others(registry: Registry, tmp_path: Path) -> OtherVersions:
    home = home_from_env({"TELLTALE_HOME": str(tmp_path / "home")})
    return OtherVersions("keywords", home, registry.digests, registry.fetch)


def asked(others: OtherVersions, *numbers: str, raw: bytes = tone()) -> list[ScoredClip]:
    async def ask() -> list[ScoredClip]:
        return [
            await others.answer(await others.ready(n), Item(raw, time.perf_counter(), float("inf")))
            for n in numbers
        ]

    return asyncio.run(ask())


def test_each_version_gives_its_own_answer_and_is_fetched_once(
    others: OtherVersions, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []

    def counted(folder: Path, number: str) -> LoadedVersion:
        loads.append(number)
        return load_served(folder, number)

    monkeypatch.setattr(other_versions, "load_served", counted)
    found = asked(others, "1", "2", "2", "3", "1")
    assert [one.served.version for one in found] == ["1", "2", "2", "3", "1"]
    assert [one.served.bundle.labels[one.scores.best] for one in found] == [
        *("zero", "one", "one", "seven", "zero")
    ]
    assert loads == ["1", "2", "3", "1"], "two are kept, and the one that was used last stays"
    assert sorted(registry.fetched) == sorted(registry.known.values())


def test_a_version_is_described_and_puts_none_out_of_memory(others: OtherVersions) -> None:
    async def described(number: str) -> Bundle:
        return await others.described(await others.ready(number))

    kept = [one.served for one in asked(others, "1", "2")]
    found = asyncio.run(described("3"))
    assert (len(found.labels), found.digest) == (10, others._known["3"])
    assert [one.served for one in asked(others, "1", "2")] == kept


def test_a_version_that_is_not_registered_or_no_longer_is_unknown(
    others: OtherVersions, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_versions, "FRESH_S", 0.0)
    asked(others, "2")
    del registry.known["2"]
    for number in ("2", "9" * 5000, ""):
        with pytest.raises(UnknownName, match="no version .*there are 1, 3") as refused:
            asked(others, number)
        assert len(str(refused.value)) < 200


def test_a_version_that_was_purged_is_let_go_in_memory_and_on_this_machine(
    others: OtherVersions, registry: Registry, tmp_path: Path
) -> None:
    loaded = [weakref.ref(one.served) for one in asked(others, "1", "2")]
    kept = tmp_path / "home" / "bundles"
    gone = registry.known["2"]
    assert (kept / gone).is_dir()
    asyncio.run(others.forget(frozenset({gone, "d" * 64})))
    gc.collect()
    assert [one() is not None for one in loaded] == [True, False]
    assert [path.name for path in kept.iterdir()] == [registry.known["1"]]


def test_many_who_ask_for_what_is_not_there_cost_the_curator_few_looks(
    others: OtherVersions, registry: Registry
) -> None:
    looks, real = [0], registry.digests

    async def digests() -> dict[str, str]:
        looks[0] += 1
        return await real()

    many = OtherVersions("keywords", others._home, digests, registry.fetch)

    async def ask() -> list[object]:
        asks = (many.ready(str(number)) for number in range(100, 150))
        return list(await asyncio.gather(*asks, return_exceptions=True))

    async def listed() -> list[tuple[str, ...]]:
        return await asyncio.gather(*(many.numbers(0.5) for _ in range(50)))

    assert {type(found) for found in asyncio.run(ask())} == {UnknownName}
    assert looks == [1]
    assert set(asyncio.run(listed())) == {("1", "2", "3")}
    assert looks == [1], "what was told lately is told again"


def test_what_is_no_clip_is_refused_as_ever(others: OtherVersions) -> None:
    with pytest.raises(UnsupportedClip):
        asked(others, "1", raw=b"this is no recording at all")


def test_who_does_not_wait_for_the_curator_has_what_it_told_before(
    others: OtherVersions, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> dict[str, str]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(other_versions, "FRESH_S", 0.0)
    asked(others, "2")
    monkeypatch.setattr(others, "_digests", never)
    assert asyncio.run(others.ready("2", 0.05)) == ("2", registry.known["2"])
    assert asyncio.run(others.numbers(0.05)) == ("1", "2", "3")
    with pytest.raises(NotReady, match="curator"):
        asyncio.run(others.ready("4", 0.05))
