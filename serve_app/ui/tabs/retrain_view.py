"""The Retrain tab's tables: runs so far, versions, and what each replica serves."""

from collections.abc import Sequence

from serve_app.client.service_answers import DomainStatus, ModelVersion, Move, ReplicaInfo, Run
from serve_app.ui.markup import Tone, ago, badge, note, score, short, table, text
from serve_app.ui.tabs.run_view import MODES, TONES

VERDICTS: dict[str, Tone] = {"promoted": "good", "refused": "bad"}
MARKS: dict[str, Tone] = {"champion": "good"}


def runs(found: Sequence[Run]) -> str:
    rows = [
        [
            f"<code>{text(run.id)}</code>",
            text(MODES.get(run.mode, run.mode)),
            badge(run.state, TONES.get(run.state, "calm")),
            _outcome(run),
            text(run.reason or "–"),
            ago(run.created),
        ]
        for run in found
    ]
    headers = ["Run", "Mode", "State", "Outcome", "Reason", "Ordered"]
    return table(headers, rows, "No retrain has been ordered yet.")


def choices(found: Sequence[Run]) -> list[tuple[str, str]]:
    return [(f"{run.id}, {MODES.get(run.mode, run.mode)}", run.id) for run in found]


def _outcome(run: Run) -> str:
    if run.result is None:
        return "–"
    if run.state != "succeeded":
        return text(run.result.message or "–")
    if run.result.version is None:
        return text(run.result.message or "nothing to learn")
    verdict = "promoted" if run.result.promoted else "refused"
    return f"version {text(run.result.version)} {verdict}"


def versions(found: Sequence[ModelVersion]) -> str:
    rows = [
        [
            f"<b>{text(row.version)}</b> {_marks(row)}",
            score(row.metrics.get("macro_f1")),
            score(row.metrics.get("accuracy")),
            text(MODES.get(row.mode, row.mode)),
            _verdict(row),
            ago(row.created),
            short(row.digest),
        ]
        for row in found
    ]
    headers = ["Version", "Macro-F1", "Accuracy", "Mode", "Verdict", "Made", "Digest"]
    return table(headers, rows, "No version is registered yet.")


def before_champion(found: Sequence[ModelVersion]) -> str | None:
    """The newest version before the one that serves which was not refused. By number, so that
    going back twice goes two versions back and not to the one just left."""
    champion = next((int(row.version) for row in found if "champion" in row.aliases), 0)
    taken = (int(row.version) for row in found if row.verdict != "refused")
    before = [number for number in taken if number < champion]
    return str(max(before)) if before else None


def _marks(row: ModelVersion) -> str:
    return " ".join(badge(alias, MARKS.get(alias, "calm")) for alias in row.aliases)


def _verdict(row: ModelVersion) -> str:
    reasons = text("; ".join(row.reasons))
    return f'<span title="{reasons}">{badge(row.verdict, VERDICTS.get(row.verdict, "calm"))}</span>'


def replicas(status: DomainStatus, curator: str) -> str:
    rows = [
        [
            f"<code>{text(row.replica)}</code>",
            _serving(row),
            "–" if row.digest is None else short(row.digest),
            str(row.swaps),
            "–" if row.last_swap_s is None else f"{row.last_swap_s:.2f} s",
            str(row.pid),
        ]
        for row in status.replicas
    ]
    headers = ["Replica", "Version", "Digest", "Swaps", "Last swap", "Process"]
    away = (
        "" if curator == "ok" else note("The curator is away: no changes until it is back.", "warn")
    )
    full = table(headers, rows, "No replica is running.")
    return f"{_agreement(status)}{_new(status)}{away}{full}"


def _new(status: DomainStatus) -> str:
    new = status.clips.get("new")
    if new is None:
        return ""
    if not new:
        return note("No clip waits to be learnt: a teach would find nothing new.")
    return note(f"{new} clip{' waits' if new == 1 else 's wait'} to be learnt by the next retrain.")


def _serving(row: ReplicaInfo) -> str:
    if row.load_error:
        return f"{text(row.version or '–')} {badge('load failed', 'bad')} {text(row.load_error)}"
    return text(row.version or "–")


def _agreement(status: DomainStatus) -> str:
    number, champion = len(status.replicas), status.champion
    if not number or champion is None:
        return note("Nothing is served right now.", "warn")
    every = "The one replica serves" if number == 1 else f"All {number} replicas serve"
    if status.agree:
        return note(f"{every} version {champion.version}.", "good")
    there = sum(row.version == champion.version for row in status.replicas)
    return note(f"{there} of {number} replicas serve version {champion.version} so far.", "warn")


def moved(move: Move) -> str:
    where = "every replica" if move.agree else f"not yet every one of {move.replicas} replicas"
    tone: Tone = "good" if move.agree else "warn"
    warned = note(move.warning, "warn") if move.warning else ""
    said = f"Version {move.version} serves on {where}, after {move.seconds:.1f} s."
    return note(said, tone) + warned
