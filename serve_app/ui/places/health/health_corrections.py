"""Corrections of the last weeks as HTML: how many came each day and of each label, and what became
of them. The audit log tells it, to an admin."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from serve_app.client.past_answers import AuditEvent, AuditEvents
from serve_app.ui.figures.charts import bars
from serve_app.ui.markup import heading, note, plain
from serve_app.ui.words.translate import t

DAYS = 14
ADDED = "feedback.added"
PAGES = 10  # of events, so that a busy fortnight cannot hold up the page


def looked_up(page_before: Callable[[int | None], AuditEvents]) -> str:
    """`page_before` asks for events of the kind feedback, newest first."""
    events: list[AuditEvent] = []
    before: int | None = None
    for _ in range(PAGES):
        page = page_before(before)
        events += page.events
        before = page.next
        if before is None:
            return shown(events)
    said = t("Only the newest {count:,} events are counted.", count=len(events))
    return shown(events) + note(said, "warn")


def shown(events: Sequence[AuditEvent]) -> str:
    """`events` are all of the kind feedback, newest first."""
    outcomes: dict[str, str] = {}
    for event in events:
        said = event.detail.get("state") if event.kind == ADDED else event.kind.partition(".")[2]
        outcomes.setdefault(event.subject, str(said))
    came = [event for event in events if event.kind == ADDED]
    if not came:
        return ""
    by_day = _bars((f"{event.at:%Y-%m-%d}", outcomes[event.subject]) for event in came)
    by_label = _bars((_label(event), outcomes[event.subject]) for event in came)
    return (
        f"{heading(t('Corrections'), t('of the last {days} days, in UTC', days=DAYS))}"
        f'<div class="tt-parts"><div>{by_day}</div><div>{by_label}</div></div>'
    )


def _label(event: AuditEvent) -> str:
    return plain(str(event.detail.get("corrected") or "")) or t("no label yet")


def _bars(pairs: Iterable[tuple[str, str]]) -> str:
    """Of pairs of a day, or a label, and an outcome."""
    tallies: dict[str, Counter[str]] = {}
    for name, outcome in pairs:
        tallies.setdefault(name, Counter())[outcome] += 1
    rows = []
    for name, tally in tallies.items():
        words = ", ".join(f"{count} {t(outcome)}" for outcome, count in tally.items())
        rows.append((name, float(tally.total()), words))
    return bars(rows)
