"""Pieces that the panels of several clips and of a long recording share, as HTML."""

import base64
from collections.abc import Iterable, Sequence

from serve_app.ui.markup import text
from serve_app.ui.places.ask.given import Given
from serve_app.ui.words.translate import t


def progress(words: str, share: float | None, job: str = "") -> str:
    """`share` is from 0 to 1, None where nobody knows; with a button that stops. A page that is
    loaded again goes on with the `job` (static/panel.js)."""
    now = "" if share is None else f' aria-valuenow="{100 * share:.0f}"'
    return (
        f'<section class="tt-card" data-job="{job}">'
        f'<p class="tt-over" role="status">{text(words)}</p>'
        f'<div class="tt-progress tt-busy" role="progressbar" aria-label="{t("Progress")}"{now}>'
        f'<i style="width:{max(4.0, 100 * (share or 0)):.0f}%"></i></div>'
        f'<p><button type="button" class="tt-mini" data-stop>{t("Stop")}</button></p></section>'
    )


def sortable(heads: Sequence[str], rows: Iterable[str]) -> str:
    """Rows with a last cell of buttons, which has no head; static/table.js sorts them."""
    named = "".join(f'<th scope="col"><button type="button">{head}</button></th>' for head in heads)
    return (
        f'<div class="tt-scrolls"><table class="tt-table tt-sortable"><thead><tr>{named}'
        f'<th scope="col"><span class="tt-unseen">{t("play, open")}</span></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def cell(head: str, value: object, shown: str) -> str:
    """`value` is what the column is sorted by."""
    return f'<td data-name="{head}" data-value="{text(value)}"><span>{shown}</span></td>'


def buttons(given: Given, number: int, start_s: float = 0.0, end_s: float | None = None) -> str:
    """A cell with one that plays the moment, and one that opens it as the clip of the card."""
    return (
        f'<td><button type="button" class="tt-mini" {moment(given, start_s, end_s)} '
        f'aria-pressed="false" aria-label="{t("Play")}">▶</button> '
        f'<button type="button" class="tt-mini" data-open="{number}">{t("Open")}</button></td>'
    )


def moment(given: Given, start_s: float, end_s: float | None) -> str:
    """What static/moments.js plays."""
    until = "" if end_s is None else f' data-to="{end_s:.2f}"'
    return f'data-play="{text(given.address)}" data-from="{start_s:.2f}"{until}'


def download(name: str, media_type: str, content: bytes, words: str) -> str:
    address = base64.b64encode(content).decode()
    return f'<a download="{name}" href="data:{media_type};base64,{address}">{words}</a>'
