"""The service as HTML: its last minutes as charts, the replicas, and what was done lately."""

from collections.abc import Sequence

from serve_app.client.past_answers import AuditEvent, History, Traffic
from serve_app.client.service_answers import DomainStatus, ReplicaInfo
from serve_app.ui.figures.charts import time_chart
from serve_app.ui.markup import ago, badge, heading, note, table, text
from serve_app.ui.words.translate import mark, number, plural, t, told

# What the audit log calls what was done; others are told as they are called there.
DONE = (
    mark("clip accepted"),
    mark("clip added"),
    mark("clip answers forgotten"),
    mark("clip claimed"),
    mark("clip flags dismissed"),
    mark("clip forgotten"),
    mark("clip grouped"),
    mark("clip held back"),
    mark("clip rejected"),
    mark("clip relabelled"),
    mark("clip restored"),
    mark("clip review undone"),
    mark("clip reviewed"),
    mark("clips checked"),
    mark("feedback accepted"),
    mark("feedback added"),
    mark("feedback quarantined"),
    mark("feedback rejected"),
    mark("finished"),
    mark("key added"),
    mark("key expiry set"),
    mark("key revoked"),
    mark("key rotated"),
    mark("model learnt"),
    mark("model purged"),
    mark("promoted"),
    mark("queued"),
    mark("resubmitted"),
    mark("rolled back"),
    mark("snapshot restored"),
    mark("snapshot taken"),
    mark("started"),
)
OF_RUNS = {"step", "epoch", "verdict", "held_back"}  # which Models shows, and here hide all else
LISTED, AT_FIRST = 20, 5  # events, and how many of them without being asked for


def shown(history: History, status: DomainStatus) -> str:
    return f"<p>{_sentence(history.points, status)}</p>{_charts(history)}{_replicas(status)}"


def _sentence(points: Sequence[Traffic], status: DomainStatus) -> str:
    serving = plural("{count} replica answers", "{count} replicas answer", len(status.replicas))
    if status.champion and status.agree:
        serving += t(", with version {version}", version=text(status.champion.version))
    clips = sum(point.answered_per_s * point.seconds for point in points)
    refused = sum(point.refused_per_s * point.seconds for point in points)
    slowest = max((point.p95_ms for point in points if point.p95_ms is not None), default=None)
    said = t("{serving}: {clips:,.0f} clips answered", serving=serving, clips=clips)
    if slowest is not None:
        said += t(", 95 in 100 within {ms:,.0f} ms at the worst", ms=slowest)
    if refused < 0.5:
        return said + t(", none refused.")
    return said + t(", {refused:,.0f} refused.", refused=refused)


def _charts(history: History) -> str:
    points = history.points
    if len(points) < 2:
        return note(t("The first minutes are still being counted."))
    moments = [point.at for point in points]
    swaps = [n for n, point in enumerate(points) if point.swaps]
    drawn: list[tuple[str, dict[str, list[float | None]], str]] = [
        (
            t("Answers a second"),
            {
                t("answers"): [point.answered_per_s for point in points],
                t("refusals"): [point.refused_per_s for point in points],
            },
            ".1f",
        ),
        (
            t("Milliseconds an answer"),
            {
                "p50": [point.p50_ms for point in points],
                "p95": [point.p95_ms for point in points],
            },
            ".0f",
        ),
        (t("Replicas"), _replicas_by_version(points), ".0f"),
    ]
    charts = "".join(
        time_chart(title, lines, moments, top=1.0, marks=swaps, form=form)
        for title, lines, form in drawn
    )
    marked = t("Upright lines: replicas took up another version.") if swaps else ""
    return f'<div class="tt-curves">{charts}</div><p class="tt-small">{marked}</p>'


def _replicas_by_version(points: Sequence[Traffic]) -> dict[str, list[float | None]]:
    """The two that served last: as many lines as have a colour."""
    found = list(dict.fromkeys(version for point in points for version in point.versions))
    return {
        t("version {version}", version=version): [
            point.versions.get(version, 0) for point in points
        ]
        for version in found[-2:]
    }


def _replicas(status: DomainStatus) -> str:
    rows = [
        [
            f"<code>{text(row.replica)}</code>",
            _serving(row),
            number(row.answered, ","),
            str(row.swaps),
            "–" if row.last_swap_s is None else f"{number(row.last_swap_s, '.2f')} s",
            "–" if row.rss_mb is None else t("{megabytes} MB", megabytes=row.rss_mb),
        ]
        for row in status.replicas
    ]
    headers = [
        t("Replica"),
        t("Version"),
        t("Answered"),
        t("Swaps"),
        t("Last swap"),
        t("Memory"),
    ]
    return f'<div id="replicas">{table(headers, rows, t("No replica is running."))}</div>'


def _serving(row: ReplicaInfo) -> str:
    if row.load_error:
        failed = f"{badge(t('load failed'), 'bad')} {text(told(row.load_error))}"
        return f"{text(row.version or '–')} {failed}"
    return text(row.version or "–")


def events(found: Sequence[AuditEvent]) -> str:
    rows = [
        [
            ago(event.at),
            text(t(event.kind.replace(".", " ").replace("_", " "))),
            f'<span title="{text(event.subject)}">{text(_short(event.subject))}</span>',
            text(event.who or "–"),
        ]
        for event in [event for event in found if event.kind not in OF_RUNS][:LISTED]
    ]
    heads = [t("When"), t("What"), t("Of"), t("Who")]
    listed = table(heads, rows[:AT_FIRST], t("Nothing has been done yet."))
    if rest := rows[AT_FIRST:]:
        listed += (
            f'<details class="tt-more"><summary>{t("Earlier events: {count}", count=len(rest))}'
            f"</summary>{table(heads, rest, '')}</details>"
        )
    return f"{heading(t('Recent events'))}{listed}"


def _short(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return f"{kind} {name[:16]}"
