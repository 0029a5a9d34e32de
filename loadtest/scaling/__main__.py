"""Replicas as they follow the load: Locust's users in steps, and what the service makes of them.

    telltale scaling --preset step --synthetic          a service of its own
    telltale scaling --preset hotline,hearts,crowd,retrain
    telltale scaling --steps 6x10,20x25,6x45 --url http://127.0.0.1:8000 --key KEY
    telltale scaling --synthetic 0.2 --replicas 1,2,3,5 fixed sizes as well

README.md, and of each preset a picture, JSON and the raw record, are left in --out. Exit code 1: a
limit does not hold.
"""

import os
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.datasets.sources import dataset_root
from data.errors import InvalidParameter, NotReady
from loadtest import command
from loadtest.machine import described
from loadtest.own_service import Service, Target, own_service, shipped
from loadtest.report import Row, figure, page, write_json
from loadtest.scaling.locust_run import run
from loadtest.scaling.presets import Preset, parse_steps, presets
from loadtest.scaling.summary import Summary, fixed_of, panels, summary_of, tables

USERS = ("NormalUser", "PowerUser", "StressUser")
WAIT_S = 0.05
DPI = 75
SYNTHETIC = (
    "**Synthetic.** Before each batch a replica waits {:g} s, as it would for an accelerator "
    "elsewhere. The figures show how the service scales, not how fast it classifies."
)


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("scaling", __doc__)
    what = parser.add_mutually_exclusive_group()
    known = f"one or several of {', '.join(presets())}"
    what.add_argument("--preset", default="step", help=f"{known}, with commas between them")
    what.add_argument("--steps", help="USERSxSECONDS[@USERS_PER_SECOND],...")
    parser.add_argument("--user", choices=USERS, help="the kind of user; a preset has its own")
    parser.add_argument("--url", help="a running service; without it, one is started")
    key = os.environ.get("TELLTALE_KEY", "")
    parser.add_argument("--key", default=key, help="for it; or set TELLTALE_KEY")
    parser.add_argument("--domain", default="faults")
    waits = f"replicas that wait so long before each batch, {WAIT_S:g} s by default"
    parser.add_argument(
        "--synthetic", type=float, nargs="?", const=WAIT_S, default=0.0, metavar="S", help=waits
    )
    parser.add_argument("--replicas", type=command.numbers, help="fixed sizes as well")
    parser.add_argument("--fixed", help="the load on those, 64x12 by default")
    parser.add_argument("--out", type=Path, default=Path("var/scaling"))
    return parser.parse_args(words)


def measure(arguments: command.Arguments) -> int:
    chosen, out, on = _chosen(arguments), arguments.out, described()
    out.mkdir(parents=True, exist_ok=True)
    given: AbstractContextManager[Target]
    if arguments.url:
        given = nullcontext(served(Target(arguments.url, arguments.domain, arguments.key)))
    else:
        print("starting a service", flush=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        config, data = configuration(arguments.synthetic), str(dataset_root() or "")
        settings = {"TELLTALE_DATASETS": data}
        given = own_service(port, config, arguments.domain, out, settings=settings)
    found: dict[str, Summary] = {}
    with given as target:
        if isinstance(target, Service):
            target.settle()
        for name, load in chosen.items():
            print(f"{name}: {load.steps} of {load.user}, {load.seconds} s", flush=True)
            found[name] = summary_of(run(target, load, out, name), load)
        # The sizes come last: how many there are is nobody's but ours from then on.
        for name, load in chosen.items():
            rows = [_at_size(target, size, load.fixed, out, name) for size in load.replicas]
            found[name] = replace(found[name], fixed=rows)
    synthetic = " (synthetic)" * (arguments.synthetic > 0)
    failed = [name for name, summary in found.items() if not summary.passed]
    title = f"Telltale under load{synthetic}: {f'FAILED: {failed}' if failed else 'passed'}"
    text = page(title, _what(arguments, on))
    for name, summary in found.items():
        plot = figure(panels(summary, bool(synthetic)), columns=2)
        plot.savefig(out / f"{name}.png", dpi=DPI)
        write_json(out / f"{name}.json", {"preset": chosen[name], "outcome": summary})
        facts = {"load": f"`{chosen[name].steps}` of {chosen[name].user}, ![plots]({name}.png)"}
        part = page(chosen[name].title.capitalize(), facts | tables(summary, chosen[name]))
        text += "\n#" + part.replace("\n## ", "\n### ")
    (out / "README.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {out}/")
    return 1 if failed else 0


def _at_size(target: Target, size: int, steps: str, out: Path, name: str) -> Row:
    """Of users without pauses, whatever the steps are made of: what can be reached?"""
    assert isinstance(target, Service), "fixed sizes were asked of another's service"
    print(f"{size} replicas: {steps}", flush=True)
    target.resize(size)
    fixed = Preset("", steps, "PowerUser", think_s=(0, 0))
    return fixed_of(run(target, fixed, out, f"{name}-fixed-{size}"), size)


def _chosen(arguments: command.Arguments) -> dict[str, Preset]:
    """With what was asked for beside it. Raises InvalidParameter, before anything is started."""
    known, names = presets(), arguments.preset.split(",")
    if arguments.steps:
        known, names = {"steps": Preset("steps", arguments.steps, "PowerUser")}, ["steps"]
    if strange := set(names) - set(known):
        words = f"there is no preset {', '.join(sorted(strange))}; there are"
        raise InvalidParameter(f"{words} {', '.join(known)}")
    asked = {key: getattr(arguments, key) for key in ("user", "replicas", "fixed")}
    own = {key: value for key, value in asked.items() if value is not None}
    chosen = {name: replace(known[name], **own) for name in names}
    for load in chosen.values():
        if arguments.url and (arguments.synthetic or load.replicas):
            words = "--synthetic and --replicas change what is deployed, which is done to a service"
            raise InvalidParameter(f"{words} of this command's own only, so leave --url away")
        if load.retrain_after_s and not arguments.url and dataset_root() is None:
            words = "there is nothing to train on; set TELLTALE_DATASETS to the data sets' folder"
            raise InvalidParameter(words)
        for steps in (load.steps, load.fixed):
            parse_steps(steps)
    return chosen


def served(target: Target) -> Target:
    """Raises NotReady if nothing answers there, InvalidParameter if it serves other domains."""
    found = target.get("/status", "domains")
    if found is None:
        raise NotReady(f"no Telltale answers at {target.url}; start it, or leave --url away")
    if target.domain not in found:
        words = f"{target.url} does not serve {target.domain!r}; it serves {', '.join(found)}"
        raise InvalidParameter(words)
    return target


def configuration(wait_s: float) -> dict[str, Any]:
    """deploy/serve.yaml; above 0, with replicas that wait before a batch."""
    config = shipped()
    for app in config["applications"]:
        if wait_s > 0 and "domain" in app.get("args", {}):
            app["import_path"] = "loadtest.scaling.synthetic:domain"
            app["args"]["wait_s"] = wait_s
    return config


def _what(arguments: command.Arguments, on: str) -> dict[str, str]:
    rules = shipped()["applications"][-1]["deployments"][0]["autoscaling_config"]
    words = ["telltale scaling", *without_key(sys.argv[1:], arguments.key)]
    own = f"its own service: {', '.join(f'{name} {value}' for name, value in rules.items())}"
    return {
        "service": f"{on}; {arguments.url or own}.",
        "synthetic": SYNTHETIC.format(arguments.synthetic) if arguments.synthetic else "",
        "again": f"Again: `{' '.join(words)}`",
    }


def without_key(words: list[str], key: str) -> list[str]:
    """A report is handed on; what opens the service is not."""
    return [word.replace(key, "KEY") for word in words] if key else words


if __name__ == "__main__":
    raise SystemExit(command.exit_code(measure, parsed()))
