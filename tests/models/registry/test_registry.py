import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.errors import BundleError, Conflict, NotReady, UnknownName
from models.bundle import PRETRAINED, Bundle, load_bundle
from models.registry.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry, Version
from support.fakes.fake_s3 import KEYS, s3_store
from support.inputs.sounds import tone
from support.tiny import fresh_registry, tiny_bundle


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return fresh_registry(tmp_path / "registry")


@pytest.fixture
def bundles(tmp_path: Path) -> list[Bundle]:
    return [tiny_bundle(tmp_path / str(seed), seed=seed) for seed in range(3)]


def registered(registry: Registry, bundles: list[Bundle]) -> list[Version]:
    return [registry.register(bundle, run_id=None, tags={}) for bundle in bundles]


def aliases(registry: Registry) -> dict[str, str]:
    return {a: v.number for v in registry.versions("keywords") for a in v.aliases}


def test_a_domain_nobody_registered_has_no_versions_and_no_champion(registry: Registry) -> None:
    assert registry.versions("keywords") == []
    assert registry.champion("keywords") is None


def test_what_others_write_is_seen_at_once_and_what_nobody_wrote_is_not_asked_again(
    tmp_path: Path, bundles: list[Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (fresh_registry(tmp_path / "registry") for _ in range(2))
    first, second, _ = registered(other, bundles)
    for version in (first, second):
        other.promote("keywords", version.number)
        assert one.champion("keywords") == other.champion("keywords")
    with monkeypatch.context() as patch:
        patch.setattr(one.client, "get_model_version_by_alias", None)  # asked, it would raise
        champion = one.champion("keywords")
    assert champion is not None
    assert champion.number == second.number


def test_a_version_carries_its_cards_facts_and_the_gates_reasons(
    registry: Registry, bundles: list[Bundle]
) -> None:
    tags = {"verdict": "refused", "reasons": json.dumps(["too weak", "too late"])}
    before = time.time()
    version = registry.register(bundles[0], run_id=None, tags=tags)
    assert (version.domain, version.number) == ("keywords", "1")
    assert version.digest == bundles[0].digest
    assert version.reasons == ["too weak", "too late"]
    assert version.aliases == (CHALLENGER,)
    assert version.tags["verdict"] == "refused"
    assert float(version.tags["macro_f1"]) == bundles[0].card.metrics.exam.macro_f1
    assert version.tags["snapshot"] == bundles[0].card.snapshot
    assert before - 0.001 <= version.created_at.timestamp() <= time.time()  # whole milliseconds


def test_mlflows_page_tells_of_a_bundle_that_no_run_made_what_it_is_and_can(
    registry: Registry, bundles: list[Bundle]
) -> None:
    bundle = bundles[0]
    registry.register(bundle, run_id=None, tags={})
    client, exam = registry.client, bundle.card.metrics.exam
    version = client.get_model_version("telltale.keywords", "1")
    assert client.get_registered_model("telltale.keywords").description == bundle.domain.description
    assert f"macro-F1 {exam.macro_f1:.3f}" in version.description
    run = client.get_run(version.run_id).data
    assert run.metrics["exam_macro_f1"] == exam.macro_f1
    assert run.params["network.kind"] == bundle.domain.network.kind
    assert run.params["snapshot"] == bundle.card.snapshot


def test_a_reason_typed_by_a_person_is_a_reason(registry: Registry, bundles: list[Bundle]) -> None:
    version = registry.register(bundles[0], run_id=None, tags={"reasons": "because"})
    assert version.reasons == ["because"]


def test_versions_come_newest_first(registry: Registry, bundles: list[Bundle]) -> None:
    registered(registry, bundles)
    assert [version.number for version in registry.versions("keywords")] == ["3", "2", "1"]


def test_the_same_bundle_again_is_the_same_version_with_its_new_tags(
    registry: Registry, bundles: list[Bundle]
) -> None:
    first = registry.register(bundles[0], run_id=None, tags={"verdict": "refused"})
    again = registry.register(bundles[0], run_id=None, tags={"verdict": "promoted"})
    assert again.number == first.number
    assert again.tags["verdict"] == "promoted"
    assert len(registry.versions("keywords")) == 1


def test_a_version_can_belong_to_the_run_that_trained_it(
    registry: Registry, bundles: list[Bundle]
) -> None:
    run = registry.client.create_run(registry.experiment("keywords")).info.run_id
    registry.register(bundles[0], run_id=run, tags={})
    assert registry.client.get_model_version("telltale.keywords", "1").run_id == run
    assert registry.client.get_run(run).info.status == "RUNNING", "its owner ends it"


def test_promoting_makes_the_champion_the_previous_one(
    registry: Registry, bundles: list[Bundle]
) -> None:
    registered(registry, bundles)
    assert registry.promote("keywords", "1").aliases == (CHAMPION,)
    registry.promote("keywords", "3")
    assert aliases(registry) == {CHAMPION: "3", PREVIOUS: "1"}
    champion = registry.champion("keywords")
    assert champion is not None
    assert (champion.number, champion.digest) == ("3", bundles[2].digest)


def test_promoting_twice_changes_nothing(registry: Registry, bundles: list[Bundle]) -> None:
    registered(registry, bundles)
    registry.promote("keywords", "1")
    registry.promote("keywords", "2")
    registry.promote("keywords", "2")
    assert aliases(registry) == {CHAMPION: "2", PREVIOUS: "1", CHALLENGER: "3"}


def test_rollback_and_back_again(registry: Registry, bundles: list[Bundle]) -> None:
    registered(registry, bundles)
    registry.promote("keywords", "1")
    registry.promote("keywords", "2")
    assert registry.rollback("keywords").number == "1"
    assert aliases(registry) == {CHAMPION: "1", PREVIOUS: "2", CHALLENGER: "3"}
    assert registry.rollback("keywords").number == "2"


OTHERS = """
import sys, mlflow, pandas
model = mlflow.pyfunc.load_model("models:/telltale.keywords@champion")
clips = [open(name, "rb").read() for name in sys.argv[1:]]
model.predict(pandas.DataFrame({"clip": clips})).to_json(sys.stdout, orient="records")
"""


def test_others_load_a_version_by_mlflow_alone(registry: Registry, tmp_path: Path) -> None:
    """In a process of their own: who has opened a Registry has MLflow without pandas."""
    bundle = load_bundle(PRETRAINED / "keywords")
    version = registry.register(bundle, run_id=None, tags={})
    registry.promote("keywords", version.number)
    clips = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for number, clip in enumerate(clips):
        clip.write_bytes(tone(440 + number))
    theirs = os.environ | {"MLFLOW_TRACKING_URI": registry.tracking_uri}
    command = [sys.executable, "-c", OTHERS, *map(str, clips)]
    said = subprocess.run(command, env=theirs, capture_output=True, text=True, check=True)
    answers = json.loads(said.stdout)
    assert [set(answer) for answer in answers] == [{"label", "confidence", "unknown"}] * 2
    assert {answer["label"] for answer in answers} <= set(bundle.labels)
    assert load_bundle(registry.fetch(version, tmp_path / "cache")).digest == bundle.digest


def test_without_a_previous_version_there_is_no_way_back(
    registry: Registry, bundles: list[Bundle]
) -> None:
    with pytest.raises(Conflict, match="no previous version"):
        registry.rollback("keywords")
    registered(registry, bundles[:1])
    registry.promote("keywords", "1")
    with pytest.raises(Conflict, match="no previous version"):
        registry.rollback("keywords")


@pytest.mark.parametrize("number", ["9", "abc", ""])
def test_an_unknown_version_is_answered_with_the_known_ones(
    registry: Registry, bundles: list[Bundle], number: str
) -> None:
    registered(registry, bundles[:2])
    with pytest.raises(UnknownName, match="its versions are 2, 1"):
        registry.promote("keywords", number)
    with pytest.raises(UnknownName, match="none yet"):
        registry.promote("faults", number)


class Interrupted(Exception):
    pass


def interrupt(registry: Registry, monkeypatch: pytest.MonkeyPatch, after: int) -> list[str | None]:
    """The process dies after so many alias moves; tells the champion seen after each."""
    real = registry.client.set_registered_model_alias
    seen: list[str | None] = []

    def move(name: str, alias: str, number: str) -> None:
        if len(seen) == after:
            raise Interrupted
        real(name, alias, number)
        champion = registry.champion("keywords")
        seen.append(None if champion is None else champion.number)

    monkeypatch.setattr(registry.client, "set_registered_model_alias", move)
    return seen


def test_a_reader_always_sees_a_champion(
    registry: Registry, bundles: list[Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(registry, bundles)
    registry.promote("keywords", "1")
    seen = interrupt(registry, monkeypatch, after=99)
    registry.promote("keywords", "2")
    registry.rollback("keywords")
    assert seen == ["1", "2", "1", "1"]


def test_an_interrupted_move_is_completed_by_asking_again(
    registry: Registry, bundles: list[Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(registry, bundles[:2])
    registry.promote("keywords", "1")
    with monkeypatch.context() as patch:
        interrupt(registry, patch, after=1)
        with pytest.raises(Interrupted):
            registry.promote("keywords", "2")
    assert registry.promote("keywords", "2").number == "2"
    assert aliases(registry) == {CHAMPION: "2", PREVIOUS: "1"}
    with monkeypatch.context() as patch:
        interrupt(registry, patch, after=1)
        with pytest.raises(Interrupted):
            registry.rollback("keywords")
    assert registry.rollback("keywords").number == "1"


def test_a_fetched_bundle_is_verified_and_fetched_once(
    registry: Registry, bundles: list[Bundle], tmp_path: Path
) -> None:
    (version,) = registered(registry, bundles[:1])
    folder = registry.fetch(version, tmp_path / "cache")
    assert load_bundle(folder).digest == bundles[0].digest
    shutil.rmtree(tmp_path / "registry" / "artifacts")
    assert registry.fetch(version, tmp_path / "cache") == folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_store("models") as address:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{address}")
        yield "s3://models/telltale"


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_bundles_go_where_they_are_told_to_and_come_back_from_there(
    registry: Registry,
    bundles: list[Bundle],
    tmp_path: Path,
    place: str,
    request: pytest.FixtureRequest,
) -> None:
    elsewhere = (tmp_path / "else").as_uri()
    uri = elsewhere if place == "folder" else str(request.getfixturevalue("bucket"))
    registry = Registry(f"sqlite:///{tmp_path}/registry/mlflow.db", uri)
    version, other = registered(registry, bundles[:2])
    registry.promote("keywords", other.number)
    source = registry.client.get_model_version("telltale.keywords", version.number).source
    assert source.startswith(f"{uri}/keywords/")
    assert load_bundle(registry.fetch(version, tmp_path / "cache")).digest == bundles[0].digest
    assert registry.memory(version).clip_ids == bundles[0].memory().clip_ids
    registry.remove(version, tmp_path / "cache")
    with pytest.raises(NotReady):
        registry.fetch(version, tmp_path / "cache")
    assert load_bundle(registry.fetch(other, tmp_path / "cache")).digest == bundles[1].digest


def test_a_version_whose_files_are_gone_or_changed_is_not_served(
    registry: Registry, bundles: list[Bundle], tmp_path: Path
) -> None:
    first, second = registered(registry, bundles[:2])
    (head,) = (tmp_path / "registry").rglob(f"bundle-{first.digest[:12]}/head.safetensors")
    head.write_bytes(b"changed")
    with pytest.raises(BundleError, match="head.safetensors"):
        registry.fetch(first, tmp_path / "cache")
    shutil.rmtree(tmp_path / "registry" / "artifacts")
    with pytest.raises(NotReady, match="files of version 2 of keywords cannot be fetched"):
        registry.fetch(second, tmp_path / "cache")


def test_a_version_registered_under_a_false_digest_is_not_served(
    registry: Registry, bundles: list[Bundle], tmp_path: Path
) -> None:
    version = registry.register(bundles[0], run_id=None, tags={"digest": "0" * 64})
    with pytest.raises(BundleError, match="registered as 000000000000"):
        registry.fetch(version, tmp_path / "cache")


def test_an_alias_moved_in_mlflows_own_page_is_seen(
    registry: Registry, bundles: list[Bundle]
) -> None:
    registered(registry, bundles)
    registry.promote("keywords", "1")
    registry.client.set_registered_model_alias("telltale.keywords", "champion", "3")
    champion = registry.champion("keywords")
    assert champion is not None
    assert champion.number == "3"


def test_a_deleted_experiment_does_not_stop_the_next_version(
    registry: Registry, bundles: list[Bundle]
) -> None:
    registered(registry, bundles[:1])
    registry.client.delete_experiment(registry.experiment("keywords"))
    assert registry.register(bundles[1], run_id=None, tags={}).number == "2"


@pytest.mark.perf
def test_asking_for_the_champion_is_cheap_enough_for_every_second(
    registry: Registry, bundles: list[Bundle]
) -> None:
    registered(registry, bundles)
    registry.promote("keywords", "3")
    started = time.process_time()
    for _ in range(20):
        registry.champion("keywords")
    assert time.process_time() - started < 20 * 0.1, "5 ms each on a quiet machine"
