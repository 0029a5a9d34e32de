"""Writes what Serve runs into rayservice.yaml: `python deploy/kubernetes/generate.py`, after each
change of deploy/serve.yaml.

Beside it stands `telltale environment`: what Ray's processes must find when a pod starts.
"""

from pathlib import Path
from typing import Any

import yaml

from data.home import planned_home
from serve_app.app import ON_HEAD
from serve_app.cluster.launch import SERVE_YAML, serve_config
from serve_app.settings import Settings

MANIFEST = Path(__file__).parent / "rayservice.yaml"
SERVED = "  serveConfigV2: |\n"  # the last of the file


def on_kubernetes(shipped: Path = SERVE_YAML) -> dict[str, Any]:
    """deploy/serve.yaml as it runs there."""
    names = [app["args"]["domain"] for app in _applications(shipped) if "domain" in app["args"]]
    settings = Settings(planned_home(), "0.0.0.0", 8000, tuple(names), admin_key="")
    config = serve_config(settings, shipped)
    # Workers without a proxy of their own would never be ready.
    config["proxy_location"] = "EveryNode"
    pinned = {"curator": "Curator", "ui": "Ui"}
    for app in config["applications"]:
        if app["name"] in pinned:  # to the head, which offers no CPU, so that no replica goes there
            options = {"num_cpus": 0, "resources": ON_HEAD}
            app["deployments"] = [{"name": pinned[app["name"]], "ray_actor_options": options}]
        if app["name"] == "curator":
            app["args"] = {"spares": 0}  # they stand by on the head, where no replica starts
    return config


def written(manifest: str, config: dict[str, Any]) -> str:
    above = manifest.partition(SERVED)[0]
    text = yaml.dump(config, Dumper=_Plain, sort_keys=False)
    return above + SERVED + "".join(f"    {line}\n" for line in text.splitlines())


class _Plain(yaml.SafeDumper):
    """Says in full what is the same in several places."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _applications(path: Path) -> list[dict[str, Any]]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))["applications"]
    return [{**app, "args": app.get("args", {})} for app in found]


if __name__ == "__main__":
    MANIFEST.write_text(written(MANIFEST.read_text("utf-8"), on_kubernetes()), encoding="utf-8")
