"""The versions of a domain as HTML: what serves, a line of dots, and one of them in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve_app.client.service_answers import DomainStatus, ModelVersion, Move, Run
from serve_app.ui.markup import Tone, ago, badge, clock, note, score, short, table, text
from serve_app.ui.places.models.models_run import named, started, state_badge
from serve_app.ui.words.translate import mark, number, plural, t, told

VERDICTS: dict[str, Tone] = {"promoted": "good", "refused": "bad"}
SHIPPED = mark("shipped")  # a verdict as well
LEARNT = {
    "teach": mark("Taught: its last layer learnt from corrections."),
    "full": mark("Trained anew: the whole network learnt."),
}
FIGURES = {
    "macro_f1": mark("Macro-F1"),
    "accuracy": mark("Accuracy"),
    "ece": mark("Calibration error"),
}
WHOLE = 'type="number" min="{}" step="1"'
OTHERWISE = {
    "epochs": (mark("Epochs"), WHOLE.format(1)),
    "workers": (mark("Workers"), WHOLE.format(0)),
    "learning_rate": (mark("Learning rate"), 'type="number" min="0" step="any"'),
    "batch_size": (mark("Batch size"), WHOLE.format(1)),
    "snapshot": (mark("An older list of clips, by its id"), 'maxlength="64"'),
}


@dataclass(frozen=True)
class Line:
    """What is known of a domain's versions and runs, newest first. `learnt`: how many clips of
    people went in, and how many corrections that fixed, by "model:<domain>:<version>"."""

    status: DomainStatus
    versions: tuple[ModelVersion, ...]
    away: bool = False  # the curator is
    runs: tuple[Run, ...] = ()
    learnt: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def shown(line: Line, chosen: str, other: str) -> str:
    """`chosen` is the version that is told of, `other` the one it is compared with; "" for none."""
    one = find(line, chosen) or champion(line)
    if one is None:
        return note(t("No version is registered yet."))
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
        return note(t("Nothing is served right now."), "warn")
    since = clock(line.status.serves_since or serving.created)
    there = sum(row.version == serving.version for row in line.status.replicas)
    serves = t("Version {version} serves since {time}.", version=text(serving.version), time=since)
    replicas = len(line.status.replicas)
    partly = t("So far {there} of {replicas} replicas do.", there=there, replicas=replicas)
    partly = "" if line.status.agree else f" {partly}"
    away = t("The curator is away: no changes until it is back.")
    return (
        f'<p class="tt-serves">{serves} {_waits(line.status)}{partly}</p>'
        f"{note(away, 'warn') if line.away else ''}"
    )


def _waits(status: DomainStatus) -> str:
    new = status.clips.get("new")
    if new is None:
        return ""
    if not new:
        return t("Nothing waits to be learnt.")
    return plural("{count} correction waits.", "{count} corrections wait.", new)


def _orders(line: Line) -> str:
    teach = t("Learns from corrections in seconds; only the last layer changes")
    anew = t("Trains the whole network on all accepted clips; takes minutes")
    return (
        f'<label class="tt-why">{t("Why, for those who read the list of runs")}'
        '<input name="reason" maxlength="500" id="reason"></label><div class="tt-acts">'
        f'<button type="button" data-act="teach" id="teach" class="tt-main" title="{teach}">'
        f'{t("Teach now")}</button><button type="button" data-act="full" id="train-anew" '
        f'title="{anew}">{t("Train anew")}</button>'
        f"</div>{_otherwise()}"
        f'<details class="tt-more"><summary>{t("Dry run: what would be learnt")}</summary>'
        f'<p>{t("Nothing is trained or changed.")}</p><div class="tt-acts">'
        '<button type="button" data-act="dry" data-mode="teach" id="dry-run">'
        f'{t("Of a teach")}</button><button type="button" data-act="dry" data-mode="full">'
        f"{t('Of a full training')}</button></div></details>"
    )


def _otherwise() -> str:
    """What one run does otherwise than its domain says; empty where it does not."""
    fields = "".join(
        f'<label class="tt-why">{t(words)}<input name="{name}" id="{name}" {kind}></label>'
        for name, (words, kind) in OTHERWISE.items()
    )
    return (
        f'<details class="tt-more"><summary>{t("Settings for one run")}</summary>'
        f"<p>{t('What is left empty is as the domain says; a teach takes the list alone.')}</p>"
        f"{fields}</details>"
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
    return f'<ol class="tt-dots" id="versions" aria-label="{t("Versions")}">{dots}{running}</ol>'


def _current(row: ModelVersion, one: ModelVersion) -> str:
    return ' aria-current="true"' if row.version == one.version else ""


def _look(row: ModelVersion) -> str:
    if "champion" in row.aliases:
        return "champion"
    return "refused" if row.verdict == "refused" else "past"


def _word(row: ModelVersion) -> str:
    return t("serves") if "champion" in row.aliases else t(row.verdict)


def _details(line: Line, one: ModelVersion) -> str:
    verdict = badge(t(one.verdict), VERDICTS.get(one.verdict, "calm"))
    reasons = [text(told(reason)) for reason in one.reasons]
    first = f"<p>{reasons[0]}</p>" if reasons else ""
    rest = "".join(f"<li>{reason}</li>" for reason in reasons[1:])
    more = f'<ul class="tt-reasons">{rest}</ul>' if rest else ""
    ids = f"{t('Digest')} {short(one.digest)}"
    ids += f", {t('snapshot')} {short(one.snapshot)}" if one.snapshot else ""
    version = text(one.version)
    made = t("Made {ago}.", ago=ago(one.created))
    return (
        '<section class="tt-card" id="version">'
        f"<h3>{t('Version {version}', version=version)} {verdict}</h3>"
        f"<p>{_learnt(line, one)} {made}</p>{first}{_move(line, one)}"
        f'<details class="tt-more"><summary>{t("More of version {version}", version=version)}'
        f"</summary>{more}<p>{ids}</p></details></section>"
    )


def _learnt(line: Line, one: ModelVersion) -> str:
    found = (detail for of, detail in line.learnt.items() if of.endswith(f":{one.version}"))
    learnt: Mapping[str, Any] = next(found, {})
    said = [t(LEARNT[one.mode])] if one.mode in LEARNT else []
    if clips := int(learnt.get("clips", 0)):
        said.append(
            plural("{count:,} clip of people went in.", "{count:,} clips of people went in.", clips)
        )
    if corrections := int(learnt.get("corrections", 0)):
        said.append(
            plural(
                "{fixed} of {count} new correction is fixed.",
                "{fixed} of {count} new corrections are fixed.",
                corrections,
                fixed=int(learnt.get("fixed", 0)),
            )
        )
    # What comes with a release has grown out of one that is not here, known by its digest alone.
    known = one.parent in {row.version for row in line.versions}
    if one.parent and known:
        said.append(t("It grew out of version {version}.", version=text(one.parent)))
    made_by = (run for run in line.runs if run.result and run.result.version == one.version)
    run = next(made_by, None)
    if run and run.reason:
        who, reason = text(run.who), text(told(run.reason))
        said.append(t("Ordered by {who}: “{reason}”.", who=who, reason=reason))
    return " ".join(said)


def _move(line: Line, one: ModelVersion) -> str:
    """Asked about before anything happens: the first click only unfolds the question. Of the one
    that serves it is the way back."""
    serving = champion(line)
    served = serving is not None and serving.version == one.version
    found = before_champion(line.versions) if served else one.version
    if found is None:
        return ""
    version = text(found)
    if serving is not None and int(found) < int(serving.version):
        words = t("Go back to version {version}", version=version)
        yes = t("Yes, go back to version {version}", version=version)
    else:
        words = t("Let version {version} serve", version=version)
        yes = t("Yes, let version {version} serve", version=version)
    then = t(
        "Version {version} will answer on every replica. Later versions stay and can serve again.",
        version=version,
    )
    return (
        f'<details class="tt-more tt-sure"><summary>{words}</summary><p>{then}</p>'
        '<button type="button" data-act="promote" id="sure" '
        f'data-version="{version}">{yes}</button></details>'
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
        f'<div class="tt-switch" role="group" aria-label="{t("Compare with another version")}">'
        f"<span>{t('Compare with')}</span>{chips}</div>{found}"
    )


def _side_by_side(one: ModelVersion, other: ModelVersion) -> str:
    rows = []
    for name in [name for name in FIGURES if name in one.metrics or name in other.metrics]:
        left, right = one.metrics.get(name), other.metrics.get(name)
        change = "–" if left is None or right is None else number(left - right, "+.3f")
        rows.append([t(FIGURES[name]), score(left), score(right), change])
    rows.append([t("Verdict"), text(t(one.verdict)), text(t(other.verdict)), ""])
    rows.append([t("Made"), ago(one.created), ago(other.created), ""])
    versions = [t("Version {version}", version=row.version) for row in (one, other)]
    headers = ["", *versions, t("Difference")]
    return f'<div id="compared">{table(headers, rows, "")}</div>'


def before_champion(found: Sequence[ModelVersion]) -> str | None:
    """The newest version before the one that serves which was not refused. By number, so that
    going back twice goes two versions back and not to the one just left."""
    serving = next((int(row.version) for row in found if "champion" in row.aliases), 0)
    taken = (int(row.version) for row in found if row.verdict != "refused")
    before = [number for number in taken if number < serving]
    return str(max(before)) if before else None


def moved(move: Move) -> str:
    warned = note(told(move.warning), "warn") if move.warning else ""
    if move.agree:
        said = t(
            "Version {version} serves on every replica, after {seconds:.1f} s.",
            version=move.version,
            seconds=move.seconds,
        )
        return note(said, "good") + warned
    said = t(
        "Version {version} serves, after {seconds:.1f} s not yet on every one of {replicas} "
        "replicas.",
        version=move.version,
        seconds=move.seconds,
        replicas=move.replicas,
    )
    return note(said, "warn") + warned


def runs(found: Sequence[Run]) -> str:
    """Earlier runs, folded; each can be shown again."""
    rows = [
        [
            f'<button type="button" data-act="run" data-run="{text(run.id)}">'
            f"{text(named(run))}</button>",
            state_badge(run.state),
            _outcome(run),
            started(run) or "–",
            text(told(run.reason) or "–"),
            ago(run.created),
        ]
        for run in found
    ]
    heads = [t("Run"), t("State"), t("Outcome"), t("Started"), t("Reason"), t("Ordered")]
    listed = table(heads, rows, t("No run so far."))
    return f'<details class="tt-more"><summary>{t("All runs")}</summary>{listed}</details>'


def _outcome(run: Run) -> str:
    if run.result is None:
        return "–"
    if run.state != "succeeded" or run.result.version is None:
        return text(told(run.result.message) if run.result.message else "–")
    verdict = t("promoted") if run.result.promoted else t("refused")
    return f"{t('version {version}', version=text(run.result.version))} {verdict}"
