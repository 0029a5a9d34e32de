"""Several clips: asked a few at a time, and a table of what was answered, or why not."""

from collections.abc import Iterator, Sequence

from data.errors import ClipTooLarge
from serve_app.batch_table import as_csv
from serve_app.client.answers import DomainInfo, Failed, OneOfMany, Problem
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import named, percent, text
from serve_app.ui.places.ask.ask_card import unsure
from serve_app.ui.places.ask.ask_panel import buttons, cell, download, sortable
from serve_app.ui.places.ask.given import Given
from serve_app.ui.wording import TOO_LARGE, words
from serve_app.ui.words.translate import mark, plural, t

AT_ONCE = 8  # so that there is progress, and not all of them are in memory
FILTERS = (mark("all"), mark("unsure"), mark("unknown"), mark("failed"))

Row = OneOfMany | Failed


def asked(
    client: Client, domain: DomainInfo, several: Sequence[Given], rows: Sequence[Row] = ()
) -> Iterator[tuple[Row, ...]]:
    """The rows so far, after each few; of the `rows` that are there already, those that failed are
    asked again. Raises ServiceError."""
    so_far = dict(enumerate(rows))
    missing = [n for n in range(len(several)) if isinstance(so_far.get(n), Failed | None)]
    for start in range(0, len(missing), AT_ONCE):
        few = missing[start : start + AT_ONCE]
        answers = _answered(client, domain, [several[n] for n in few])
        so_far.update(zip(few, answers, strict=True))
        yield tuple(so_far[n] for n in sorted(so_far))


def _answered(client: Client, domain: DomainInfo, few: Sequence[Given]) -> tuple[Row, ...]:
    """One by one where they are too large together."""
    try:
        clips = [(given.name, given.read(domain)) for given in few]
        return client.batch_predict(domain.name, clips).results
    except (ServiceError, ClipTooLarge) as error:
        if isinstance(error, ServiceError) and error.status != TOO_LARGE:
            raise
        if len(few) == 1:
            return (_too_large(few[0], error),)
    return tuple(row for one in few for row in _answered(client, domain, [one]))


def _too_large(given: Given, error: ServiceError | ClipTooLarge) -> Failed:
    why = Problem(
        type="about:blank",
        title="Too large",
        status=TOO_LARGE,
        detail=str(error),
        request_id=error.request_id if isinstance(error, ServiceError) else "",
    )
    return Failed(file=given.name, error=why)


def table(rows: Sequence[Row], several: Sequence[Given]) -> str:
    """`several` may be more than were answered."""
    counts = {name: sum(_is(row, name) for row in rows) for name in FILTERS}
    filters = "".join(
        f'<label><input type="radio" name="tt-filter" value="{name}"'
        f"{' checked' if name == 'all' else ''}>{t(name)} {count}</label>"
        for name, count in counts.items()
    )
    listed = (_row(*one) for one in zip(range(len(rows)), rows, several, strict=False))
    missing = len(rows) < len(several) or counts["failed"]
    again = (
        f'<button type="button" class="tt-mini" data-again>{t("Ask again what failed")}</button>'
    )
    again = again if missing else ""
    written = as_csv([row.model_dump() for row in rows]).encode()
    return (
        '<section class="tt-card tt-several"><fieldset class="tt-filters">'
        f"<legend>{plural('{count} file', '{count} files', len(rows))}</legend>{filters}"
        f"</fieldset>{sortable(_heads(), listed)}"
        f'<p class="tt-links">{download("answers.csv", "text/csv", written, "CSV")}{again}</p>'
        "</section>"
    )


def _is(row: Row, name: str) -> bool:
    if name == "all" or isinstance(row, Failed):
        return name in {"all", "failed"}
    return {"unsure": unsure(row), "unknown": row.unknown}.get(name, False)


def _heads() -> tuple[str, str, str]:
    return t("file"), t("answer"), t("confidence")


def _row(number: int, row: Row, given: Given) -> str:
    kinds = " ".join(name for name in FILTERS if _is(row, name))
    file, answer, confidence = _heads()
    cells = cell(file, given.name, text(given.name))
    if isinstance(row, Failed):
        refused = words(ServiceError(row.error.detail, row.error.status))
        cells += cell(answer, "~", f'<span class="tt-refused-file">{text(refused)}</span>')
        cells += cell(confidence, -1, "–") + "<td></td>"
    else:
        said = t("unknown") if row.unknown else named(row.label)
        cells += cell(answer, "unknown" if row.unknown else row.label, said)
        cells += cell(confidence, f"{row.confidence:.4f}", percent(row.confidence))
        cells += buttons(given, number)
    return f'<tr class="{kinds}">{cells}</tr>'
