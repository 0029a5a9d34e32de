"""Replicas as they follow the load: Locust's users in steps, and what the service makes of them.

    telltale scaling --preset step --synthetic          a service of its own
    telltale scaling --steps 6x10,20x25,6x45 --url http://127.0.0.1:8000 --key KEY
    telltale scaling --synthetic 0.2 --replicas 1,2,3,5 fixed sizes as well

scaling.md, .png, .json and the raw record are left in --out. Exit code 1: a limit does not hold.
"""

import os
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.errors import InvalidParameter, NotReady
from loadtest import command
from loadtest.machine import described
from loadtest.own_service import Service, Target, own_service, shipped
from loadtest.report import Row, figure, publish
from loadtest.scaling.locust_run import run
from loadtest.scaling.presets import Preset, parse_steps, presets
from loadtest.scaling.summary import fixed_of, panels, summary_of, tables

USERS = ("NormalUser", "PowerUser", "StressUser")
LIMITS = ("max_failed", "max_p95_ms", "max_scale_up_s")
WAIT_S = 0.05
SYNTHETIC = (
    "**Synthetic.** Before each batch a replica waits {:g} s, as it would for an accelerator "
    "elsewhere. The figures show how the service scales, not how fast it classifies."
)


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("scaling", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--preset", default="step", choices=sorted(presets()))
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
    parser.add_argument("--replicas", type=command.numbers, default=(), help="fixed sizes as well")
    parser.add_argument("--fixed", default="64x12", help="the load on those, 64x12 by default")
    parser.add_argument("--max-failed", type=float, help="requests")
    parser.add_argument("--max-p95-ms", type=float)
    parser.add_argument("--max-scale-up-s", type=float, help="from the step to all running")
    parser.add_argument("--out", type=Path, default=Path("var/scaling"))
    return parser.parse_args(words)


def measure(arguments: command.Arguments) -> int:
    chosen = _chosen(arguments)
    # Users without pauses, whatever the steps are made of: what can be reached?
    fixed, found = Preset("", arguments.fixed, "PowerUser", think_s=(0, 0)), list[Row]()
    what = _what(arguments, chosen)
    arguments.out.mkdir(parents=True, exist_ok=True)
    given: AbstractContextManager[Target]
    if arguments.url:
        given = nullcontext(served(Target(arguments.url, arguments.domain, arguments.key)))
    else:
        print("starting a service", flush=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        config = configuration(arguments.synthetic)
        given = own_service(port, config, arguments.domain, arguments.out)
    with given as target:
        print(f"{chosen.steps} of {chosen.user}: {chosen.seconds} s", flush=True)
        summary = summary_of(run(target, chosen, arguments.out, "steps"), chosen)
        for size in arguments.replicas:
            assert isinstance(target, Service), "fixed sizes were asked of another's service"
            print(f"{size} replicas: {fixed.steps}", flush=True)
            target.resize(size)
            found.append(fixed_of(run(target, fixed, arguments.out, f"fixed-{size}"), size))
    summary, synthetic = replace(summary, fixed=found), arguments.synthetic > 0
    verdict = "passed" if summary.passed else "FAILED"
    title = f"Telltale under load{' (synthetic)' if synthetic else ''}: {verdict}"
    facts, plot = {**what, **tables(summary, chosen)}, figure(panels(summary, synthetic), columns=2)
    publish(arguments.out, "scaling", title, facts, plot, outcome=summary)
    return 0 if summary.passed else 1


def _chosen(arguments: command.Arguments) -> Preset:
    """With what was asked for beside it. Raises InvalidParameter, before anything is started."""
    if arguments.url and (arguments.synthetic or arguments.replicas):
        words = "--synthetic and --replicas change what is deployed, which is done to a service of"
        raise InvalidParameter(f"{words} this command's own only, so leave --url away")
    given = Preset(f"steps {arguments.steps}", arguments.steps or "", "PowerUser")
    chosen = given if arguments.steps else presets()[arguments.preset]
    for steps in (chosen.steps, arguments.fixed):
        parse_steps(steps)
    limits = {name: limit for name in LIMITS if (limit := getattr(arguments, name)) is not None}
    limits = {"max_failed": 0.0, **chosen.limits, **limits}
    return replace(chosen, user=arguments.user or chosen.user, limits=limits)


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


def _what(arguments: command.Arguments, chosen: Preset) -> dict[str, str]:
    rules = shipped()["applications"][-1]["deployments"][0]["autoscaling_config"]
    words = ["telltale scaling", *without_key(sys.argv[1:], arguments.key)]
    own = f"its own service: {', '.join(f'{name} {value}' for name, value in rules.items())}"
    return {
        "load": f"{chosen.title.capitalize()}: {chosen.user}, {chosen.steps}.",
        "service": f"{described()}; {arguments.url or own}.",
        "synthetic": SYNTHETIC.format(arguments.synthetic) if arguments.synthetic else "",
        "again": f"Again: `{' '.join(words)}`",
    }


def without_key(words: list[str], key: str) -> list[str]:
    """A report is handed on; what opens the service is not."""
    return [word.replace(key, "KEY") for word in words] if key else words


if __name__ == "__main__":
    raise SystemExit(command.exit_code(measure, parsed()))
