"""Which versions a domain has and which one serves: MLflow's model registry.

A version of `telltale.<domain>` is a registered bundle. Three aliases move: `champion` serves,
`previous` is what a rollback returns to, `challenger` is the newest one that has not served.
Whatever order they move in, there is never a moment without a champion.

MLflow takes seconds to import, so that waits until a `Registry` is made.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BundleError, Conflict, NotReady, UnknownName
from data.without_pandas import without_pandas
from models.bundle import Bundle, cached, drop, keep, load_bundle
from models.card import MEMORY
from models.registry import card_record
from models.registry.mlflow_store import commits, mlflow_errors, opening, quieten_mlflow
from models.registry_pyfunc import write_pyfunc
from models.tensors import Embeddings, read_memory

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
PREFIX, LISTED = "telltale.", 20
REMOVED = "telltale.removed"  # a tag: what is left of a version whose removal was interrupted


@dataclass(frozen=True)
class Version:
    domain: str
    number: str
    digest: str
    aliases: tuple[str, ...]
    created_at: datetime
    tags: dict[str, str]

    @property
    def is_bundle(self) -> bool:
        """Not so what somebody else has registered under our name."""
        return re.fullmatch(r"[0-9a-f]{64}", self.digest) is not None

    @property
    def reasons(self) -> list[str]:
        """Why the gate promoted or refused it, in sentences."""
        try:
            return [str(reason) for reason in json.loads(self.tags.get("reasons", "[]"))]
        except ValueError:  # written by a person in MLflow's own page
            return [self.tags["reasons"]]


class Registry:
    def __init__(self, tracking_uri: str, artifact_root: str | None) -> None:
        """Bundles are put below `artifact_root`; None leaves the place to the MLflow server."""
        quieten_mlflow()
        self.tracking_uri, self._artifact_root = tracking_uri, artifact_root
        self._champions: dict[str, tuple[object, Version | None]] = {}  # after which commit
        with without_pandas(), opening(tracking_uri), mlflow_errors():
            from mlflow import MlflowClient

            self.client = MlflowClient(tracking_uri, tracking_uri)
            self.client.search_registered_models(max_results=1)  # only now is the store there
        self._commits = commits(tracking_uri)

    def register(self, bundle: Bundle, *, run_id: str | None, tags: Mapping[str, str]) -> Version:
        """Uploads the bundle, then makes it a version; the same bundle again is the same version.

        The facts of its card become tags by themselves; `tags` adds the verdict and its reasons.
        """
        domain, name = bundle.domain.name, model_name(bundle.domain.name)
        for known in self.versions(domain):
            if known.digest == bundle.digest:
                return self._tag(known, tags)
        with suppress(Conflict), mlflow_errors():
            self.client.create_registered_model(name, description=bundle.domain.description)
        run, source = self._upload(bundle, run_id)
        with mlflow_errors():
            made = self.client.create_model_version(
                name,
                source,
                run,
                tags={**_card_tags(bundle), **tags},
                description=card_record.description(bundle),
                await_creation_for=0,
            )
        self._place(CHALLENGER, name, str(made.version))
        return self.version(domain, str(made.version))

    def versions(self, domain: str) -> list[Version]:
        """Newest first."""
        name = model_name(domain)
        try:
            with mlflow_errors():
                # A search does not tell the aliases.
                places = self.client.get_registered_model(name).aliases
                found = self.client.search_model_versions(f"name='{name}'")
        except UnknownName:
            return []
        aliases: dict[str, list[str]] = {}
        for alias, number in places.items():
            aliases.setdefault(str(number), []).append(alias)
        versions = [_version(one, aliases.get(str(one.version), [])) for one in found]
        return sorted(versions, key=lambda version: int(version.number), reverse=True)

    def version(self, domain: str, number: str) -> Version:
        """Raises UnknownName listing the known ones."""
        known = self.versions(domain)
        for version in known:
            if version.number == number:
                return version
        numbers = ", ".join(version.number for version in known[:LISTED]) or "none yet"
        raise UnknownName(f"{domain} has no version {number!r}; its versions are {numbers}")

    def champion(self, domain: str) -> Version | None:
        """The curator asks at each beat: a local store only where something was written to it."""
        seen, known = self._commits(), self._champions.get(domain)
        if known is None or seen is None or known[0] != seen:
            known = self._champions[domain] = seen, self._at(domain, CHAMPION)
        return known[1]

    def promote(self, domain: str, number: str) -> Version:
        """previous <- champion <- number. Interrupted half-way, the same call completes it. Raises
        BundleError for a version that is no bundle; such a one never becomes the previous."""
        version, champion = self.version(domain, number), self.champion(domain)
        must_be_bundle(version)
        if champion is None or champion.number != number:
            if champion is not None and champion.is_bundle:
                self._move(PREVIOUS, champion)
            self._move(CHAMPION, version)
        if CHALLENGER in version.aliases:
            with mlflow_errors():
                self.client.delete_registered_model_alias(model_name(domain), CHALLENGER)
        return self.version(domain, number)

    def rollback(self, domain: str) -> Version:
        """Champion and previous change places; Conflict if there is no previous."""
        champion, previous = self.champion(domain), self._at(domain, PREVIOUS)
        if champion is None or previous is None:
            raise Conflict(f"{domain} has no previous version to go back to")
        if champion.number == previous.number:  # an earlier call got half-way
            return champion
        # The champion first: interrupted in between, the domain serves what was asked for. In
        # the other order it would have forgotten where to go back to.
        must_be_bundle(previous)
        self._move(CHAMPION, previous)
        if champion.is_bundle:
            self._move(PREVIOUS, champion)
        return self.version(domain, previous.number)

    def remember(self, served: Version) -> None:
        """The last that served is the one to go back to, whoever moved the champion's alias; but
        not one that has been removed since."""
        with suppress(UnknownName):
            self._move(PREVIOUS, served)

    def fetch(self, version: Version, cache_root: Path) -> Path:
        """The verified bundle on this machine; downloads it the first time only."""
        must_be_bundle(version)
        if (folder := cached(cache_root, version.digest)) is not None:
            return folder
        with tempfile.TemporaryDirectory() as temporary:
            bundle = load_bundle(self._download(version, temporary))
            if bundle.digest != version.digest:
                raise BundleError(
                    f"version {version.number} of {version.domain} is registered as "
                    f"{version.digest[:12]}, but its files are {bundle.digest[:12]}"
                )
            return keep(cache_root, bundle.path)

    def memory(self, version: Version) -> Embeddings:
        """What it remembers; of its files only this one is read. Raises BundleError, NotReady."""
        with tempfile.TemporaryDirectory() as folder:
            file = self._download(version, folder, MEMORY)
            return read_memory(file.read_bytes())

    def remove(self, version: Version, cache_root: Path) -> None:
        """A version with all its files, but for replicas that serve it from their own memory.
        Raises Conflict for the champion; interrupted half-way, the same call completes it."""
        if CHAMPION in self.version(version.domain, version.number).aliases:
            raise Conflict(f"version {version.number} of {version.domain} is the champion")
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        # MLflow no longer tells the place of a version that it has deleted: its files go first.
        self._tag(version, {REMOVED: "its files are being deleted"})
        name = model_name(version.domain)
        with mlflow_errors():
            source = self.client.get_model_version_download_uri(name, version.number)
            get_artifact_repository(source, tracking_uri=self.tracking_uri).delete_artifacts()
            self.client.delete_model_version(name, version.number)
        drop(cache_root, version.digest)

    def experiment(self, domain: str) -> str:
        """The id of the domain's MLflow experiment, made if need be."""
        name, root = model_name(domain), self._artifact_root
        place = None if root is None else f"{root.rstrip('/')}/{domain}"
        with suppress(Conflict), mlflow_errors():  # somebody else may be faster
            if self.client.get_experiment_by_name(name) is None:
                self.client.create_experiment(name, artifact_location=place)
        with mlflow_errors():
            found = self.client.get_experiment_by_name(name)
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    def _tag(self, version: Version, tags: Mapping[str, str]) -> Version:
        name = model_name(version.domain)
        with mlflow_errors():
            for key, value in tags.items():
                self.client.set_model_version_tag(name, version.number, key, value)
        return self.version(version.domain, version.number)

    def _at(self, domain: str, alias: str) -> Version | None:
        try:
            with mlflow_errors():
                found = self.client.get_model_version_by_alias(model_name(domain), alias)
        except UnknownName:
            return None
        return _version(found, found.aliases)

    def _move(self, alias: str, version: Version) -> None:
        self._place(alias, model_name(version.domain), version.number)

    def _place(self, alias: str, name: str, number: str) -> None:
        """Again where another process took the alias away between MLflow's look and its change."""
        from mlflow.exceptions import MlflowException

        with mlflow_errors():
            try:
                self.client.set_registered_model_alias(name, alias, number)
            except MlflowException as error:
                if error.error_code != "BAD_REQUEST":
                    raise
                self.client.set_registered_model_alias(name, alias, number)

    def _upload(self, bundle: Bundle, run_id: str | None) -> tuple[str, str]:
        """Below a run's artefacts: the one place that a local store and a server both accept."""
        experiment = self.experiment(bundle.domain.name)
        place = f"bundle-{bundle.digest[:12]}"
        with mlflow_errors():
            run = run_id or self.client.create_run(experiment, run_name=place).info.run_id
            self.client.log_artifacts(run, str(bundle.path), place)
            with tempfile.TemporaryDirectory() as folder:
                write_pyfunc(bundle, Path(folder))
                self.client.log_artifacts(run, folder, place)
            if run_id is None:
                self._record(run, bundle)
                self.client.set_terminated(run)
            return run, f"{self.client.get_run(run).info.artifact_uri}/{place}"

    def _record(self, run: str, bundle: Bundle) -> None:
        """Of what no run of ours was told about, as a shipped bundle."""
        from mlflow.entities import Metric, Param

        found, now_ms = card_record.figures(bundle), int(time.time() * 1000)
        given = card_record.parameters(bundle)
        metrics = [Metric(name, value, now_ms, 0) for name, value in found.items()]
        self.client.log_batch(run, metrics, [Param(name, value) for name, value in given.items()])

    def _download(self, version: Version, folder: str, file: str = "") -> Path:
        from mlflow.artifacts import download_artifacts

        name = model_name(version.domain)
        try:
            with mlflow_errors():
                source = self.client.get_model_version_download_uri(name, version.number)
                uri = f"{source}/{file}" if file else source
                return Path(
                    download_artifacts(
                        artifact_uri=uri, dst_path=folder, tracking_uri=self.tracking_uri
                    )
                )
        except (OSError, NotReady, UnknownName) as error:
            raise NotReady(
                f"the files of version {version.number} of {version.domain} cannot be fetched"
            ) from error


def must_be_bundle(version: Version) -> None:
    if not version.is_bundle:
        raise BundleError(
            f"version {version.number} of {version.domain} in MLflow is no bundle of Telltale's; "
            "what serves stays. Move the alias to another version, or promote one"
        )


def model_name(domain: str) -> str:
    return f"{PREFIX}{domain}"


def _version(found: "ModelVersion", aliases: Iterable[str]) -> Version:
    return Version(
        domain=found.name.removeprefix(PREFIX),
        number=str(found.version),
        digest=found.tags.get("digest", ""),
        aliases=tuple(sorted(aliases)),
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        tags=dict(found.tags),
    )


def _card_tags(bundle: Bundle) -> dict[str, str]:
    card = bundle.card
    return {
        "digest": bundle.digest,
        "mode": card.mode,
        "snapshot": card.snapshot,
        "parent": card.parent or "",
        "licence": card.licence,
        "macro_f1": f"{card.metrics.exam.macro_f1:.6g}",
        "accuracy": f"{card.metrics.exam.accuracy:.6g}",
    }
