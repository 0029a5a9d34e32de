"""python -m data graph: what came of what, snapshot -> run -> version -> receipts, for Graphviz.

    telltale data graph keywords | dot -Tpng > lineage.png
    telltale data graph keywords --svg > lineage.svg        where Graphviz is installed

Receipts are counted by the first version that learnt them: there may be thousands.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data.commands.existing_store import known_store
from data.domains.domain import load_domains
from data.errors import NotReady
from data.store.run_rows import RunRow
from data.store.snapshots import Summary
from data.store.store import Store

SHORT = 12  # letters of a snapshot's id that are shown
SHAPES = {"snapshot": "cylinder", "run": "box", "version": "hexagon", "receipts": "note"}


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    drawing = commands.add_parser(
        "graph", help="what came of what: snapshots, runs, versions, receipts, for Graphviz"
    )
    drawing.add_argument("domain")
    drawing.add_argument("--runs", type=int, default=50, help="the newest of them (default 50)")
    drawing.add_argument("--svg", action="store_true", help="draw it, by Graphviz's `dot`")
    drawing.set_defaults(run=draw)


@dataclass(frozen=True)
class Step:
    """A run, with the snapshot that it learnt from, the version that it made and how many receipts
    that was the first to learn; nothing of what it did not come to."""

    run: RunRow
    snapshot: str
    version: str
    promoted: bool
    receipts: int


def steps(store: Store, domain: str, newest: int) -> list[Step]:
    """The newest first."""
    receipts, found = receipts_by_version(store, domain), []
    for run in store.runs.find(domain, limit=newest):
        result = run.result or {}
        version = str(result.get("version") or "")
        snapshot = store.events.snapshot_of(run.id) or ""
        promoted = bool(result.get("promoted"))
        found.append(Step(run, snapshot, version, promoted, receipts[version]))
    return found


def receipts_by_version(store: Store, domain: str) -> Counter[str]:
    said = store.feedback.find(domain, limit=None)
    return Counter(one.learnt_version for one in said if one.learnt_version)


def draw(options: argparse.Namespace) -> int:
    load_domains(names=(options.domain,))
    text = graph(known_store(), options.domain, options.runs)
    sys.stdout.write(drawn(text) if options.svg else text)
    return 0


def graph(store: Store, domain: str, newest: int) -> str:
    """In the DOT language."""
    snapshots, receipts = store.snapshots.find(domain), receipts_by_version(store, domain)
    lines = [_node("snapshot", one.id, _of_snapshot(one)) for one in reversed(snapshots)]
    arrows, ran, promoted = [], set[tuple[str, str]](), set[str]()
    for step in reversed(steps(store, domain, newest)):
        run = ("run", step.run.id)
        lines.append(_node(*run, _of_run(step.run)))
        if step.snapshot:
            arrows.append(_arrow(("snapshot", step.snapshot), run))
        if step.version:
            arrows.append(_arrow(run, ("version", step.version)))
            ran.add((step.snapshot, step.version))
            promoted |= {step.version} if step.promoted else set()
    learnt = {(one.id, version) for one in snapshots for version in one.versions}
    arrows += [_arrow(("snapshot", a), ("version", b)) for a, b in sorted(learnt - ran)]
    for version in _in_order({version for _, version in learnt | ran} | receipts.keys()):
        state = ", promoted" if version in promoted else ""
        lines.append(_node("version", version, f"version {version}{state}"))
        if count := receipts[version]:
            lines.append(_node("receipts", version, f"{count} receipts"))
            arrows.append(_arrow(("version", version), ("receipts", version)))
    body = "".join(f"  {line}\n" for line in [*lines, *arrows])
    return f"digraph {_quoted(domain)} {{\n  rankdir=LR\n{body}}}\n"


def drawn(text: str) -> str:
    """As SVG; raises NotReady without Graphviz."""
    try:
        found = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True)
    except FileNotFoundError:
        raise NotReady(
            "--svg needs Graphviz's program `dot` (apt install graphviz); without it the text of "
            "the graph is printed"
        ) from None
    if found.returncode:
        raise NotReady(f"Graphviz's `dot` failed: {found.stderr.strip()}")
    return found.stdout


def _of_snapshot(one: Summary) -> str:
    return f"snapshot {one.id[:SHORT]}\n{one.size} clips, {one.created_at:%Y-%m-%d %H:%M}"


def _of_run(run: RunRow) -> str:
    return f"{run.mode} {run.id}\n{run.state}, {run.created_at:%Y-%m-%d %H:%M}, {run.who}"


def _in_order(versions: Iterable[str]) -> list[str]:
    """Numbers as numbers, and then what is called otherwise."""
    return sorted(versions, key=lambda name: (not name.isdecimal(), name.zfill(9)))


def _node(kind: str, name: str, label: str) -> str:
    return f"{_quoted(f'{kind} {name}')} [shape={SHAPES[kind]}, label={_quoted(label)}]"


def _arrow(start: tuple[str, str], end: tuple[str, str]) -> str:
    return f"{_quoted(' '.join(start))} -> {_quoted(' '.join(end))}"


def _quoted(text: str) -> str:
    """DOT escapes as JSON does what may be in our names."""
    return json.dumps(text, ensure_ascii=False)
