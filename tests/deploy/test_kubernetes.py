"""What KubeRay and Kubernetes are given is what they take, and what deploy/serve.yaml says."""

import copy
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from data.domains.domain import CONFIGS, load_domains
from data.home import planned_home
from serve_app.client import client
from serve_app.client.connection import ServiceError
from support.loaded import loaded

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
BUCKET = ROOT / "deploy" / "kubernetes-bucket"
CRDS = ROOT.parent / "shared" / "kuberay"  # KubeRay's own, beside the checkout, for developers
RAYS = {"RayService": "rayservices", "RayJob": "rayjobs"}
OTHERS = {"PodMonitor", "Kustomization"}  # of operators whose schemas are not at hand


def manifests() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def named(kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests() if manifest["kind"] == kind]


def built(folder: Path) -> list[dict[str, Any]]:
    """As `kubectl apply -k` makes them of a kustomization."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    command = ["kubectl", "kustomize", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return list(yaml.safe_load_all(found.stdout))


def images(manifest: Any) -> set[str]:
    if isinstance(manifest, list):
        return set().union(*map(images, manifest))
    if not isinstance(manifest, dict):
        return set()
    own = {manifest["image"]} if "image" in manifest else set()
    return own | images(list(manifest.values()))


def served() -> dict[str, Any]:
    (service,) = named("RayService")
    found: dict[str, Any] = yaml.safe_load(service["spec"]["serveConfigV2"])
    return found


def schema_of(plural: str) -> dict[str, Any]:
    text = gzip.decompress((CRDS / f"ray.io_{plural}.yaml.gz").read_bytes())
    definition = yaml.load(text, yaml.CSafeLoader)  # of megabytes
    (version,) = (each for each in definition["spec"]["versions"] if each["name"] == "v1")
    found: dict[str, Any] = strict(version["schema"]["openAPIV3Schema"])
    found["properties"]["metadata"].pop("additionalProperties")
    return found


def strict(schema: Any) -> Any:
    """As a cluster reads it: no key that the definition does not know."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    read = {key: strict(value) for key, value in schema.items()}
    if read.get("x-kubernetes-int-or-string") is True:
        return {"type": ["integer", "string"]}
    open_ended = "additionalProperties" in read or "x-kubernetes-preserve-unknown-fields" in read
    if read.get("type") == "object" and not open_ended:
        read["additionalProperties"] = False
    return read


def definition_of(kind: str) -> jsonschema.Draft202012Validator:
    if not CRDS.is_dir():
        pytest.skip(f"needs KubeRay's definitions in {CRDS}")
    return jsonschema.Draft202012Validator(schema_of(RAYS[kind]))


@pytest.mark.parametrize("kind", RAYS)
def test_kuberays_own_definitions_take_our_resources(kind: str) -> None:
    definition = definition_of(kind)
    wrong = copy.deepcopy(named(kind)[0])
    wrong["spec"]["nosuch"] = 1
    for manifest in named(kind):
        definition.validate(manifest)
    with pytest.raises(jsonschema.ValidationError):
        definition.validate(wrong)


def test_kubernetes_takes_the_rest() -> None:
    latest = kubernetes_validate.latest_version()
    rest = [each for each in manifests() if each["kind"] not in RAYS.keys() | OTHERS]
    assert {each["kind"] for each in rest} >= {"CronJob", "NetworkPolicy", "ConfigMap"}
    for manifest in rest:
        kubernetes_validate.validate(manifest, latest, strict=True)


def test_what_is_applied_together_is_there() -> None:
    (kustomization,) = named("Kustomization")
    assert all((FOLDER / name).is_file() for name in kustomization["resources"])


def test_every_pod_is_of_the_image_that_was_pushed_what_is_created_by_hand_too() -> None:
    (kustomization,) = named("Kustomization")
    (image,) = kustomization["images"]
    pushed = f"{image['newName']}:{image['newTag']}"
    assert images(named("RayJob")) == {pushed}
    assert images(built(FOLDER)) == {pushed}


def test_where_no_volume_is_shared_each_pod_has_a_home_and_a_bucket_the_rest() -> None:
    by_kind = {each["kind"]: each for each in built(BUCKET)}
    settings = planned_home(by_kind["ConfigMap"]["data"])
    kept = (settings.storage_uri, settings.artifact_root, settings.checkpoints)
    assert all(str(place).startswith("s3://bucket/") for place in kept)
    assert "PersistentVolumeClaim" not in by_kind
    assert "persistentVolumeClaim" not in str(by_kind)
    service = by_kind.pop("RayService")
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        volumes = {each["name"]: each for each in group["template"]["spec"]["volumes"]}
        assert "emptyDir" in volumes["home"]
    latest = kubernetes_validate.latest_version()
    for manifest in by_kind.values():
        kubernetes_validate.validate(manifest, latest, strict=True)
    definition_of("RayService").validate(service)


def test_the_manifest_is_what_the_command_writes_from_serve_yaml() -> None:
    generate = loaded(FOLDER / "generate.py")
    text = (FOLDER / "rayservice.yaml").read_text(encoding="utf-8")
    assert generate.written(text, generate.on_kubernetes()) == text, (
        "run python deploy/kubernetes/generate.py"
    )


def test_ray_takes_what_the_operator_deploys_and_serves_every_shipped_domain() -> None:
    config = served()
    ServeDeploySchema.model_validate(config)
    domains = {app["args"]["domain"] for app in config["applications"] if "domain" in app["args"]}
    assert domains == set(load_domains(CONFIGS))


def test_workers_have_a_proxy_and_what_is_pinned_to_the_head_asks_for_no_cpu() -> None:
    (service,) = named("RayService")
    cluster, config = service["spec"]["rayClusterConfig"], served()
    assert config["proxy_location"] == "EveryNode"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    apps = {app["name"]: app for app in config["applications"]}
    for name in ("curator", "ui"):
        options = apps[name]["deployments"][0]["ray_actor_options"]
        assert options["num_cpus"] == 0
        assert "node:__internal_head__" in options["resources"]


def test_a_worker_gives_away_as_many_cpus_as_its_pod_asks_for() -> None:
    """More, and no load would bring a second pod."""
    (service,) = named("RayService")
    (workers,) = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    cpus = float(container["resources"]["requests"]["cpu"])
    assert float(workers["rayStartParams"]["num-cpus"]) == cpus
    rules = [
        each["deployments"][0] for each in served()["applications"] if "domain" in each["args"]
    ]
    least, most = (
        sum(
            rule["ray_actor_options"]["num_cpus"] * rule["autoscaling_config"][end]
            for rule in rules
        )
        for end in ("min_replicas", "max_replicas")
    )
    assert least <= workers["minReplicas"] * cpus
    assert most <= workers["maxReplicas"] * cpus


def test_every_pod_of_ray_starts_in_the_printed_environment_and_asks_for_the_token() -> None:
    clusters = [each["spec"]["rayClusterConfig"] for each in named("RayService")]
    clusters += [each["spec"]["rayClusterSpec"] for each in named("RayJob")]
    for cluster in clusters:
        assert cluster["authOptions"] == {"mode": "token", "secretName": "telltale"}
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            (container,) = group["template"]["spec"]["containers"]
            (script,) = container["args"]
            assert "telltale environment" in script
            assert "KUBERAY_GEN_RAY_START_CMD" in script


@pytest.mark.parametrize("refused", ["faults", ""])
def test_one_domain_that_is_busy_at_night_does_not_keep_the_others_from_it(
    refused: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Night:
        domains = ("faults", "hearts")

        def __init__(self, *_: str) -> None: ...
        def __enter__(self) -> "Night":
            return self

        def __exit__(self, *_: object) -> None: ...
        def status(self) -> "Night":
            return self

        def retrain(self, domain: str, mode: str, reason: str) -> SimpleNamespace:
            if domain == refused:
                raise ServiceError("a retrain is under way")
            return SimpleNamespace(id="begun")

    monkeypatch.setattr(client, "Client", Night)
    monkeypatch.setenv("TELLTALE_KEY", "k")
    (job,) = named("CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    exec(container["args"][-1], {})
    said = {
        domain: "a retrain is under way" if domain == refused else "begun"
        for domain in Night.domains
    }
    assert capsys.readouterr().out == "".join(f"{name} {words}\n" for name, words in said.items())


def test_the_head_is_ready_before_serve_and_otherwise_the_workers_are_alike() -> None:
    """KubeRay tells Serve what to run once the head is ready, so the head must not wait for it."""
    (service,) = named("RayService")
    cluster = service["spec"]["rayClusterConfig"]
    head, (workers,) = cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"]
    (one,), (other,) = (each["spec"]["containers"] for each in (head, workers["template"]))
    assert one.pop("readinessProbe") == {"tcpSocket": {"port": 52365}}
    assert other.pop("readinessProbe")["httpGet"] == {"path": "/-/healthz", "port": "serve"}
    assert head == workers["template"]
