"""What a visitor has asked while the page is open: in Gradio's session, and nowhere else."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from serve_app.ui.markup import clock, named, percent, text
from serve_app.ui.places.ask.ask_teach import Asked
from serve_app.ui.words.translate import t

LISTED = 20


@dataclass
class Past:
    """The last that were asked, each under a number of its own."""

    asked: deque[tuple[int, datetime, Asked]] = field(default_factory=lambda: deque(maxlen=LISTED))
    count: int = 0

    def remember(self, asked: Asked) -> None:
        """But for domains that keep no history."""
        if asked.domain.history:
            self.count += 1
            self.asked.append((self.count, datetime.now(UTC), asked))

    def find(self, number: str) -> Asked | None:
        return next((asked for known, _, asked in self.asked if str(known) == number), None)

    def listed(self, domain: str) -> str:
        """Of one domain, the newest first, as HTML; each can be shown again."""
        rows = [row for row in reversed(self.asked) if row[2].domain.name == domain]
        if not rows:
            return ""
        return (
            '<details class="tt-more tt-past" open><summary>'
            f"{t('Asked since this page was opened')}</summary>"
            f"<ol>{''.join(_rows(rows))}</ol></details>"
        )


def _rows(rows: Iterable[tuple[int, datetime, Asked]]) -> Iterable[str]:
    for number, at, asked in rows:
        found = asked.found
        label, share = (
            (t("unknown"), "")
            if found.unknown
            else (
                named(found.label),
                percent(found.confidence),
            )
        )
        yield (
            f'<li><button type="button" data-act="again" data-number="{number}"><b>{label}</b>'
            f"<span>{share}</span><small>{text(asked.given.name)}</small><small>{clock(at)}</small>"
            "</button></li>"
        )
