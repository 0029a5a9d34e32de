"""The service as HTML: its last minutes as charts, the replicas, and what was done lately."""

from collections.abc import Sequence

from serve_app.client.past_answers import AuditEvent, History, Traffic
from serve_app.client.service_answers import DomainStatus, ReplicaInfo
from serve_app.ui.figures.charts import line_chart
from serve_app.ui.markup import ago, badge, heading, note, table, text


def shown(history: History, status: DomainStatus) -> str:
    return f"<p>{_sentence(history.points, status)}</p>{_charts(history)}{_replicas(status)}"


def _sentence(points: Sequence[Traffic], status: DomainStatus) -> str:
    number = len(status.replicas)
    serving = f"{number} replica{' answers' if number == 1 else 's answer'}"
    if status.champion and status.agree:
        serving += f", with version {text(status.champion.version)}"
    clips = sum(point.answered_per_s * point.seconds for point in points)
    refused = sum(point.refused_per_s * point.seconds for point in points)
    slowest = max((point.p95_ms for point in points if point.p95_ms is not None), default=None)
    said = f"{serving}: {clips:,.0f} clips answered"
    said += f", 95 in 100 within {slowest:,.0f} ms at the worst" if slowest is not None else ""
    return said + (f", {refused:,.0f} refused." if refused >= 0.5 else ", none refused.")


def _charts(history: History) -> str:
    points = history.points
    if len(points) < 2:
        return note("The first minutes are still being counted.")
    moments = [f"{point.at:%H:%M:%S} UTC" for point in points]
    swaps = [n for n, point in enumerate(points) if point.swaps]
    drawn: list[tuple[str, dict[str, list[float | None]], str]] = [
        (
            "Answers a second",
            {
                "answered": [point.answered_per_s for point in points],
                "refused": [point.refused_per_s for point in points],
            },
            ".1f",
        ),
        (
            "Milliseconds an answer",
            {
                "p50": [point.p50_ms for point in points],
                "p95": [point.p95_ms for point in points],
            },
            ".0f",
        ),
        ("Replicas", _replicas_by_version(points), ".0f"),
    ]
    charts = "".join(
        line_chart(
            title, lines, moments, ends=(moments[0], moments[-1]), top=1.0, marks=swaps, form=form
        )
        for title, lines, form in drawn
    )
    marked = " Upright lines: replicas took up another version." if swaps else ""
    return f'<div class="tt-curves">{charts}</div><p class="tt-small">{marked}</p>'


def _replicas_by_version(points: Sequence[Traffic]) -> dict[str, list[float | None]]:
    """The two that served last: as many lines as have a colour."""
    found = list(dict.fromkeys(version for point in points for version in point.versions))
    return {
        f"version {version}": [point.versions.get(version, 0) for point in points]
        for version in found[-2:]
    }


def _replicas(status: DomainStatus) -> str:
    rows = [
        [
            f"<code>{text(row.replica)}</code>",
            _serving(row),
            f"{row.answered:,}",
            str(row.swaps),
            "–" if row.last_swap_s is None else f"{row.last_swap_s:.2f} s",
            f"{row.rss_mb} MB",
        ]
        for row in status.replicas
    ]
    headers = ["Replica", "Version", "Answered", "Swaps", "Last swap", "Memory"]
    return f'<div id="replicas">{table(headers, rows, "No replica is running.")}</div>'


def _serving(row: ReplicaInfo) -> str:
    if row.load_error:
        return f"{text(row.version or '–')} {badge('load failed', 'bad')} {text(row.load_error)}"
    return text(row.version or "–")


def events(found: Sequence[AuditEvent]) -> str:
    rows = [
        [
            ago(event.at),
            text(event.kind.replace(".", " ").replace("_", " ")),
            f'<span title="{text(event.subject)}">{text(_short(event.subject))}</span>',
            text(event.who or "–"),
        ]
        for event in found
    ]
    listed = table(["When", "What", "Of", "Who"], rows, "Nothing has been done yet.")
    return f"{heading('Recent events')}{listed}"


def _short(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return f"{kind} {name[:16]}"
