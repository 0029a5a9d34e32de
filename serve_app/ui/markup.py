"""Small pieces of HTML that every tab of the page uses. All text from outside is escaped here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Literal

from serve_app.ui.words.translate import number, t

Tone = Literal["good", "calm", "warn", "bad"]


def text(value: object) -> str:
    return escape(str(value), quote=True)


def plain(label: str) -> str:
    """A label, or a sentence of labels, as people read it: its name in the domain's file has no
    blanks."""
    return label.replace("_", " ")


def named(label: str) -> str:
    """The same as HTML."""
    return text(plain(label))


def note(message: str, tone: Tone = "calm") -> str:
    """One sentence for a person; `bad` ones are announced by screen readers at once."""
    role = "alert" if tone == "bad" else "status"
    return f'<p class="tt-note tt-{tone}" role="{role}">{text(message)}</p>'


def badge(word: str, tone: Tone = "calm") -> str:
    return f'<span class="tt-badge tt-{tone}">{text(word)}</span>'


def heading(words: str, hint: str = "") -> str:
    more = f'<span class="tt-hint">{text(hint)}</span>' if hint else ""
    return f'<h2 class="tt-h2">{text(words)}{more}</h2>'


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Cells are HTML already. On a narrow screen each row becomes a card of "header value"."""
    return f'<table class="tt-table">{_lines(headers, rows)}</table>' if rows else note(empty)


def sideways(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of figures, which are compared along its columns: on a narrow screen it stays one and
    is moved sideways, but for its first column."""
    return (
        f'<div class="tt-sideways" role="region" aria-label="{text(title)}" tabindex="0">'
        f"<table>{_lines(headers, rows)}</table></div>"
    )


def _lines(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in headers)
    body = "".join(f"<tr>{_cells(headers, row)}</tr>" for row in rows)
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def _cells(headers: Sequence[str], row: Sequence[str]) -> str:
    pairs = zip(headers, row, strict=True)
    return "".join(f'<td data-name="{text(name)}"><span>{cell}</span></td>' for name, cell in pairs)


def bar(share: float, css: str = "") -> str:
    return f'<span class="tt-bar {css}"><i style="width:{100 * share:.1f}%"></i></span>'


def percent(share: float) -> str:
    """Never a rounded 100 % or 0 %: a probability is neither."""
    if share > 0.995:
        return t("over 99 %")
    if 0 < share < 0.005:
        return t("under 1 %")
    return f"{100 * share:.0f} %"


def score(value: float | None) -> str:
    return "–" if value is None else number(value, ".3f")


def ago(moment: datetime) -> str:
    """Read as "5 min ago", by static/page.js: nothing is drawn anew because time goes on."""
    return _time("ago", moment)


def clock(moment: datetime) -> str:
    """Read by the reader's own clock: static/page.js."""
    return _time("clock", moment)


def _time(way: str, moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f'<time data-{way} datetime="{at.isoformat()}">{at:%d %b %Y, %H:%M} UTC</time>'


def short(digest: str) -> str:
    return f'<code title="{text(digest)}">{text(digest[:8])}</code>'
