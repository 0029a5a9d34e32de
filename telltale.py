"""The one command, `telltale`: each of its words is one of the programs that `python -m` starts.

It imports nothing but the program that is asked for, which then is `__main__`, as under
`python -m`: what has to come before Ray or torch is imported still does.
"""

import runpy
import sys
from typing import NamedTuple


class Command(NamedTuple):
    module: str
    words: tuple[str, ...]  # that come before those of the command line
    help: str


GROUPS = {
    "Begin": {
        "new": Command("training.new_domain", (), "a folder of labelled clips becomes a domain"),
        "serve": Command("serve_app", ("serve",), "start the service, its API and its page"),
        "predict": Command("serve_app", ("predict",), "classify local files, without a service"),
        "analyze": Command("serve_app.analyze_command", (), "what happens when in recordings"),
        "listen": Command("serve_app.listen_command", (), "what a service hears in live sound"),
    },
    "Look after a service": {
        "status": Command(
            "serve_app.service_commands", ("status",), "what serves, and whether it agrees"
        ),
        "promote": Command(
            "serve_app.service_commands", ("promote",), "make a version the champion"
        ),
        "rollback": Command(
            "serve_app.service_commands", ("rollback",), "go back to the champion before"
        ),
        "key": Command("serve_app", ("key",), "make a key for somebody"),
        "keys": Command("serve_app.key_commands", (), "list, revoke, rotate and expire keys"),
        "backup": Command("serve_app", ("backup",), "keep all of the home in one file"),
        "restore": Command("serve_app", ("restore",), "make an empty home from such a file"),
        "join": Command("serve_app", ("join",), "add this machine to a running service"),
        "environment": Command("serve_app", ("environment",), "what Ray must find in a pod"),
    },
    "Train": {
        "retrain": Command("training.retrain", (), "train a domain, examine it, promote it"),
        "evaluate": Command("training.evaluate", (), "a model's figures; a card with plots"),
        "report": Command("training.report", (), "data, model and lineage as a page of pictures"),
        "crossval": Command("training.crossval", (), "the same training on other splits"),
        "search": Command("training.search", (), "better settings, tried on folds by Ray Tune"),
        "trial": Command("training.trial", (), "are corrections learnt, and do bad ones harm"),
        "qa": Command("training.qa", (), "labels that are likely wrong"),
        "pretrain": Command("training.pretrain", (), "a backbone that domains start from"),
        "recalibrate": Command("training.recalibrate", (), "a bundle's calibration, fitted anew"),
        "reexamine": Command(
            "training.reexamine", (), "a bundle without the clips that its domain leaves out"
        ),
        "export": Command("training.export_bundle", (), "a version as one file"),
        "reexport": Command("training.reexport", (), "a bundle's network, exported anew"),
        "fingerprint": Command("training.fingerprint", (), "a bundle's exam, known in copies too"),
        "data": Command("data", (), "fetch, import, check, snapshot, diff, restore clips; graph"),
    },
    "Measure": {
        "bench": Command("loadtest.bench", (), "clips a second, beside other servers"),
        "scaling": Command("loadtest.scaling", (), "replicas follow a step in load"),
        "overload": Command("loadtest.overload", (), "who is served at too much load"),
        "chaos": Command("loadtest.chaos", (), "parts die, clients flood; what is lost"),
        "plan": Command("loadtest.plan", (), "machines for a rate, simulated"),
        "coldstart": Command("loadtest.coldstart", (), "how soon a new replica answers"),
        "kernel": Command("loadtest.kernel", (), "where the time of one clip goes"),
        "planted": Command("loadtest.planted", (), "are events found in noise, and at what cost"),
        "streams": Command("loadtest.streams", (), "how soon live digits are told, and how surely"),
        "open-loop": Command("loadtest.open_loop", (), "requests at a rate, answered or not"),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
EXAMPLE = """\
For example:
  telltale predict --domain keywords clip.wav
  telltale new sounds/pumps        a folder for each label in it, clips in those
  telltale serve

telltale COMMAND --help tells more of one."""


def main() -> int:
    name, *rest = sys.argv[1:] or ["--help"]
    if [name, *rest[:1]] == ["data", "report"]:  # `data` may not import what draws it
        name, *rest = rest
    if name in {"-h", "--help", "help"}:
        print(overview())
        return 0
    command = COMMANDS.get(name)
    if command is None:
        known = ", ".join(COMMANDS)
        print(f"telltale: there is no command {name!r}; there are {known}", file=sys.stderr)
        return 2
    sys.argv[1:] = [*command.words, *rest]
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    return 0


def overview() -> str:
    lines = [
        "A folder of labelled clips becomes a live service that improves with each correction."
    ]
    for title, commands in GROUPS.items():
        lines += ["", title, *(f"  {name:<11} {one.help}" for name, one in commands.items())]
    return "\n".join([*lines, "", EXAMPLE])


if __name__ == "__main__":
    sys.exit(main())
