"""Who is champion of a domain: what is verified before it moves, and who is told."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from data.domains.domain import load_domains
from data.errors import BundleError, Conflict, NotReady, UnknownName
from data.home import Home, home_from_env
from models.registry.registry import Registry, Version
from serve_app.control.promotion import Promotion
from serve_app.replica.champion_pointer import Pointer, read_pointer
from support.tiny import fresh_registry, tiny_bundle

KEYWORDS = load_domains(names=("keywords",))["keywords"]


class Replicas:
    """A deployment handle with one obedient replica; `slow` makes it take its time."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.told: list[Pointer] = []
        self.asked: list[str] = []
        self.serves: Pointer | None = None
        self.purged: frozenset[str] = frozenset()

    def broadcast(self, method: str, domain: str, *arguments: Any) -> "Replicas":
        assert domain == KEYWORDS.name
        self.asked.append(method)
        if method == "follow":
            self.serves, self.purged = arguments
            self.told.append(arguments[0])
        return self

    async def results_async(self, **_: object) -> list[dict[str, Any] | Exception]:
        await asyncio.sleep(self.slow)
        if self.serves is None:
            return [RuntimeError("a replica that is going down")]
        return [{"version": self.serves.version, "digest": self.serves.digest}]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_from_env({"TELLTALE_HOME": str(tmp_path / "home")})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return fresh_registry(tmp_path / "registry")


def registered(registry: Registry, folder: Path, seed: int, damage: bool = False) -> Version:
    bundle = tiny_bundle(folder / str(seed), KEYWORDS, seed=seed)
    if damage:
        head = bundle.path / "head.safetensors"
        head.write_bytes(head.read_bytes()[:-1] + b"!")
    return registry.register(bundle, run_id=None, tags={})


def run(
    home: Home,
    registry: Registry,
    replicas: Replicas,
    steps: Callable[[Promotion], Awaitable[Any]],
    pinned: str | None = None,
) -> Any:
    async def go() -> Any:
        return await steps(Promotion("keywords", home, registry, replicas, pinned))

    return asyncio.run(go())


def test_a_promotion_reaches_disk_and_replicas(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    version = registered(registry, tmp_path, 1)
    moved = run(home, registry, Replicas(), lambda s: s.promote(version.number))
    assert (moved["version"], moved["agree"]) == (version.number, True)
    assert read_pointer(home, "keywords") == Pointer("keywords", version.number, version.digest)


def test_replicas_are_told_which_bundles_no_machine_is_to_keep(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    version, replicas = registered(registry, tmp_path, 1), Replicas()
    gone = frozenset({"d" * 64})
    promotion = Promotion("keywords", home, registry, replicas, purged=lambda: gone)
    asyncio.run(promotion.promote(version.number))
    assert replicas.purged == gone


def test_a_damaged_version_is_refused_before_the_alias_moves(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    good = registered(registry, tmp_path, 1)
    registry.promote("keywords", good.number)
    bad = registered(registry, tmp_path, 2, damage=True)
    with pytest.raises(BundleError, match=r"head\.safetensors"):
        run(home, registry, Replicas(), lambda s: s.promote(bad.number))
    champion = registry.champion("keywords")
    assert champion is not None
    assert champion.number == good.number


def test_a_rollback_to_a_version_whose_files_are_gone_is_refused_before_the_alias_moves(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    first, second = (
        registered(registry, tmp_path, 1, damage=True),
        registered(registry, tmp_path, 2),
    )
    for version in (first, second):
        registry.promote("keywords", version.number)
    with pytest.raises(BundleError):
        run(home, registry, Replicas(), lambda s: s.rollback())
    champion = registry.champion("keywords")
    assert champion is not None
    assert champion.number == second.number


def test_there_is_no_way_back_from_the_first_version(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    registry.promote("keywords", registered(registry, tmp_path, 1).number)
    with pytest.raises(Conflict, match="no previous"):
        run(home, registry, Replicas(), lambda s: s.rollback())


def test_whoever_moves_the_alias_the_way_back_is_to_what_served_last(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    one, two, three = (registered(registry, tmp_path, seed) for seed in (1, 2, 3))
    strange = registry.client.create_model_version("telltale.keywords", "runs:/none/of/ours")

    async def steps(succession: Promotion) -> None:
        await succession.promote(one.number)
        await succession.promote(two.number)
        registry.client.set_registered_model_alias("telltale.keywords", "champion", three.number)
        await succession.reconcile()
        registry.client.set_registered_model_alias("telltale.keywords", "champion", strange.version)
        with pytest.raises(BundleError, match="is no bundle of Telltale's; what serves stays"):
            await succession.reconcile()
        with pytest.raises(BundleError, match="is no bundle"):
            await succession.reconcile()
        assert succession.failures == 1
        with pytest.raises(BundleError, match="is no bundle"):
            await succession.promote(str(strange.version))
        assert (await succession.rollback())["version"] == three.number  # what serves
        assert (await succession.rollback())["version"] == two.number

    run(home, registry, Replicas(), steps)


def test_a_pinned_version_serves_whoever_promotes_another(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    one, two = (registered(registry, tmp_path, seed) for seed in (1, 2))
    replicas = Replicas()

    async def steps(succession: Promotion) -> None:
        await succession.reconcile()
        registry.promote("keywords", two.number)  # as a retrain does
        await succession.reconcile()
        assert succession.agree
        for asked in (succession.promote(two.number), succession.rollback()):
            with pytest.raises(Conflict, match="pinned to version 1 by TELLTALE_MODEL_VERSION"):
                await asked

    run(home, registry, replicas, steps, pinned=one.number)
    assert {pointer.version for pointer in replicas.told} == {one.number}
    run(home, registry, replicas, lambda succession: succession.reconcile())
    assert replicas.told[-1].version == two.number, "the promotion counts once the pin is gone"


def test_no_way_back_leads_to_what_is_no_bundle(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    good = registered(registry, tmp_path, 1)
    strange = registry.client.create_model_version("telltale.keywords", "runs:/none/of/ours")

    async def steps(succession: Promotion) -> None:
        await succession.promote(good.number)
        registry.client.set_registered_model_alias("telltale.keywords", "previous", strange.version)
        with pytest.raises(BundleError, match="version 2 of keywords in MLflow is no bundle"):
            await succession.rollback()
        await succession.reconcile()
        assert succession.champion is not None
        assert succession.champion.number == good.number

    run(home, registry, Replicas(), steps)


def test_a_replica_gets_the_files_of_any_registered_version(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    champion, other = (registered(registry, tmp_path, seed) for seed in (1, 2))

    async def steps(succession: Promotion) -> None:
        await succession.promote(champion.number)
        for version in (champion, other):
            files = await succession.fetch(version.digest)
            assert hashlib.sha256(files["card.json"]).hexdigest() == version.digest
        with pytest.raises(UnknownName, match="no version with the digest ffff"):
            await succession.fetch("f" * 64)

    run(home, registry, Replicas(), steps)


def test_an_alias_moved_to_a_damaged_version_leaves_pointer_and_replicas_alone(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    good = registered(registry, tmp_path, 1)
    bad = registered(registry, tmp_path, 2, damage=True)
    replicas = Replicas()

    async def steps(succession: Promotion) -> None:
        await succession.promote(good.number)
        registry.promote("keywords", bad.number)  # as in MLflow's own page
        for _ in range(2):
            with pytest.raises(BundleError):
                await succession.reconcile()
        assert succession.replicas
        assert succession.failures == 1  # and not at each beat

    run(home, registry, replicas, steps)
    assert replicas.asked == ["follow", "report", "report"]
    assert [pointer.version for pointer in replicas.told] == [good.number]
    pointer = read_pointer(home, "keywords")
    assert pointer is not None
    assert pointer.version == good.number


def test_replicas_are_asked_what_they_count_while_the_registry_is_away(
    home: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(domain: str) -> None:
        raise NotReady("MLflow does not answer")

    async def steps(succession: Promotion) -> None:
        await succession.reconcile()  # nobody is champion yet
        monkeypatch.setattr(registry, "champion", away)
        with pytest.raises(NotReady):
            await succession.reconcile()

    replicas = Replicas()
    run(home, registry, replicas, steps)
    assert replicas.asked == ["report", "report"]


def test_the_beat_never_undoes_a_promotion_that_came_between(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    first, second = registered(registry, tmp_path, 1), registered(registry, tmp_path, 2)
    registry.promote("keywords", first.number)
    replicas = Replicas(slow=0.05)

    async def steps(succession: Promotion) -> None:
        beat = asyncio.create_task(succession.reconcile())
        await asyncio.sleep(0.01)
        await asyncio.gather(succession.promote(second.number), beat, succession.reconcile())

    run(home, registry, replicas, steps)
    assert [pointer.version for pointer in replicas.told][-1] == second.number
    pointer = read_pointer(home, "keywords")
    assert pointer is not None
    assert pointer.version == second.number


def test_a_replica_that_does_not_answer_is_no_agreement(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    class Silent(Replicas):
        async def results_async(self, **_: object) -> list[dict[str, Any] | Exception]:
            raise TimeoutError

    version = registered(registry, tmp_path, 1)
    moved = run(home, registry, Silent(), lambda s: s.promote(version.number))
    assert (moved["replicas"], moved["agree"]) == (0, False)
    json.dumps(moved)
