"""The versions of a domain as HTML: what serves, a line of dots, and one of them in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from serve_app.client.service_answers import DomainStatus, ModelVersion, Move, Run
from serve_app.ui.markup import Tone, ago, badge, clock, note, score, short, table, text
from serve_app.ui.places.models.models_run import TONES, named

VERDICTS: dict[str, Tone] = {"promoted": "good", "refused": "bad"}
LEARNT = {
    "teach": "Taught: its last layer learnt from corrections.",
    "full": "Trained anew: the whole network learnt.",
}
FIGURES = {"macro_f1": "Macro-F1", "accuracy": "Accuracy", "ece": "Calibration error"}


@dataclass(frozen=True)
class Line:
    """What is known of a domain's versions and runs, newest first. `since`: when the version that
    serves began to; `learnt`: clips of people, by "model:<domain>:<version>"."""

    status: DomainStatus
    versions: tuple[ModelVersion, ...]
    away: bool = False  # the curator is
    runs: tuple[Run, ...] = ()
    learnt: Mapping[str, int] = field(default_factory=dict)


def shown(line: Line, chosen: str, other: str) -> str:
    """`chosen` is the version that is told of, `other` the one it is compared with; "" for none."""
    one = find(line, chosen) or champion(line)
    if one is None:
        return note("No version is registered yet.")
    return (
        f"<form>{_serves(line)}{_orders(line)}{_dots(line, one)}"
        f"{_details(line, one)}{_comparison(line, one, find(line, other))}</form>"
    )


def find(line: Line, number: str) -> ModelVersion | None:
    return next((row for row in line.versions if row.version == number), None)


def champion(line: Line) -> ModelVersion | None:
    return next((row for row in line.versions if "champion" in row.aliases), None)


def _serves(line: Line) -> str:
    serving = champion(line)
    if serving is None:
        return note("Nothing is served right now.", "warn")
    since = clock(line.status.serves_since or serving.created)
    there = sum(row.version == serving.version for row in line.status.replicas)
    number = len(line.status.replicas)
    partly = "" if line.status.agree else f" So far {there} of {number} replicas do."
    away = note("The curator is away: no changes until it is back.", "warn") if line.away else ""
    return (
        f'<p class="tt-serves">Version {text(serving.version)} serves since {since}. '
        f"{_waits(line.status)}{partly}</p>{away}"
    )


def _waits(status: DomainStatus) -> str:
    new = status.clips.get("new")
    if new is None:
        return ""
    if not new:
        return "Nothing waits to be learnt."
    return f"{new} correction{' waits' if new == 1 else 's wait'}."


def _orders(line: Line) -> str:
    return (
        '<label class="tt-why">Why, for those who read the list of runs'
        '<input name="reason" maxlength="500" id="reason"></label><div class="tt-acts">'
        '<button type="button" data-act="teach" id="teach" class="tt-main" '
        'title="Learns from corrections in seconds; only the last layer changes">Teach now</button>'
        '<button type="button" data-act="full" id="train-anew" '
        'title="Trains the whole network on all accepted clips; takes minutes">Train anew</button>'
        '</div><details class="tt-more"><summary>Dry run: what would be learnt</summary>'
        '<p>Nothing is trained or changed.</p><div class="tt-acts">'
        '<button type="button" data-act="dry" data-mode="teach" id="dry-run">Of a teach</button>'
        '<button type="button" data-act="dry" data-mode="full">Of a full training</button></div>'
        "</details>"
    )


def _dots(line: Line, one: ModelVersion) -> str:
    """Oldest first, as they came; a run under way is the newest."""
    dots = "".join(
        f'<li><button type="button" data-act="choose" data-version="{text(row.version)}" '
        f'class="tt-dot tt-{_look(row)}"{_current(row, one)}>'
        f"<i></i>{text(row.version)}<small>{text(_word(row))}</small></button></li>"
        for row in reversed(line.versions)
    )
    running = "".join(
        '<li><button type="button" data-act="follow" class="tt-dot tt-running">'
        f'<i class="tt-pulse"></i>…<small>{text(named(run))}</small></button>'
        "</li>"
        for run in line.status.running
    )
    return f'<ol class="tt-dots" id="versions" aria-label="Versions">{dots}{running}</ol>'


def _current(row: ModelVersion, one: ModelVersion) -> str:
    return ' aria-current="true"' if row.version == one.version else ""


def _look(row: ModelVersion) -> str:
    if "champion" in row.aliases:
        return "champion"
    return "refused" if row.verdict == "refused" else "past"


def _word(row: ModelVersion) -> str:
    return "serves" if "champion" in row.aliases else row.verdict


def _details(line: Line, one: ModelVersion) -> str:
    verdict = badge(one.verdict, VERDICTS.get(one.verdict, "calm"))
    first = f"<p>{text(one.reasons[0])}</p>" if one.reasons else ""
    rest = "".join(f"<li>{text(reason)}</li>" for reason in one.reasons[1:])
    more = f'<ul class="tt-reasons">{rest}</ul>' if rest else ""
    ids = f"<p>Digest {short(one.digest)}"
    ids += f", snapshot {short(one.snapshot)}</p>" if one.snapshot else "</p>"
    move = _move(line, one)
    return (
        f'<section class="tt-card" id="version"><h3>Version {text(one.version)} {verdict}</h3>'
        f"<p>{_learnt(line, one)} Made {ago(one.created)}.</p>{first}{move}"
        f'<details class="tt-more"><summary>More of version {text(one.version)}</summary>'
        f"{more}{ids}</details></section>"
    )


def _learnt(line: Line, one: ModelVersion) -> str:
    clips = next((n for of, n in line.learnt.items() if of.endswith(f":{one.version}")), 0)
    of_people = f" {clips:,} clips of people went in." if clips else ""
    # What comes with a release has grown out of one that is not here, known by its digest alone.
    known = one.parent in {row.version for row in line.versions}
    parent = f" It grew out of version {text(one.parent)}." if one.parent and known else ""
    made_by = (run for run in line.runs if run.result and run.result.version == one.version)
    run = next(made_by, None)
    ordered = f" Ordered by {text(run.who)}: “{text(run.reason)}”." if run and run.reason else ""
    return f"{LEARNT.get(one.mode, '')}{of_people}{parent}{ordered}"


def _move(line: Line, one: ModelVersion) -> str:
    """Asked about before anything happens: the first click only unfolds the question. Of the one
    that serves it is the way back."""
    serving = champion(line)
    served = serving is not None and serving.version == one.version
    number = before_champion(line.versions) if served else one.version
    if number is None:
        return ""
    back = serving is not None and int(number) < int(serving.version)
    words = f"Go back to version {text(number)}" if back else f"Let version {text(number)} serve"
    return (
        f'<details class="tt-more tt-sure"><summary>{words}</summary><p>Version {text(number)} '
        "will answer on every replica. What later versions have learnt is not lost: each of them "
        'can be promoted again.</p><button type="button" data-act="promote" id="sure" '
        f'data-version="{text(number)}">Yes, {words[:1].lower()}{words[1:]}</button></details>'
    )


def _comparison(line: Line, one: ModelVersion, other: ModelVersion | None) -> str:
    others = [row for row in reversed(line.versions) if row.version != one.version]
    if not others:
        return ""
    chips = "".join(
        f'<button type="button" data-act="compare" data-version="{text(row.version)}" '
        f'aria-pressed="{str(row is other).lower()}">{text(row.version)}</button>'
        for row in others
    )
    found = "" if other is None or other is one else _side_by_side(one, other)
    return (
        f'<div class="tt-switch" role="group" aria-label="Compare with another version">'
        f"<span>Compare with</span>{chips}</div>{found}"
    )


def _side_by_side(one: ModelVersion, other: ModelVersion) -> str:
    rows = []
    for name in [name for name in FIGURES if name in one.metrics or name in other.metrics]:
        left, right = one.metrics.get(name), other.metrics.get(name)
        change = "–" if left is None or right is None else f"{left - right:+.3f}"
        rows.append([text(FIGURES[name]), score(left), score(right), change])
    rows.append(["Verdict", text(one.verdict), text(other.verdict), ""])
    rows.append(["Made", ago(one.created), ago(other.created), ""])
    headers = ["", f"Version {one.version}", f"Version {other.version}", "Difference"]
    return f'<div id="compared">{table(headers, rows, "")}</div>'


def before_champion(found: Sequence[ModelVersion]) -> str | None:
    """The newest version before the one that serves which was not refused. By number, so that
    going back twice goes two versions back and not to the one just left."""
    serving = next((int(row.version) for row in found if "champion" in row.aliases), 0)
    taken = (int(row.version) for row in found if row.verdict != "refused")
    before = [number for number in taken if number < serving]
    return str(max(before)) if before else None


def moved(move: Move) -> str:
    where = "every replica" if move.agree else f"not yet every one of {move.replicas} replicas"
    tone: Tone = "good" if move.agree else "warn"
    warned = note(move.warning, "warn") if move.warning else ""
    return (
        note(f"Version {move.version} serves on {where}, after {move.seconds:.1f} s.", tone)
        + warned
    )


def runs(found: Sequence[Run]) -> str:
    """Earlier runs, folded; each can be shown again."""
    rows = [
        [
            f'<button type="button" data-act="run" data-run="{text(run.id)}">'
            f"{text(named(run))}</button>",
            badge(run.state, TONES.get(run.state, "calm")),
            _outcome(run),
            text(run.reason or "–"),
            ago(run.created),
        ]
        for run in found
    ]
    listed = table(["Run", "State", "Outcome", "Reason", "Ordered"], rows, "No run so far.")
    return f'<details class="tt-more"><summary>All runs</summary>{listed}</details>'


def _outcome(run: Run) -> str:
    if run.result is None:
        return "–"
    if run.state != "succeeded" or run.result.version is None:
        return text(run.result.message or "–")
    verdict = "promoted" if run.result.promoted else "refused"
    return f"version {text(run.result.version)} {verdict}"
