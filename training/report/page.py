"""The report as one page of HTML; its pictures lie beside it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.commands.lineage_graph import SHORT, Step

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto }}
img {{ max-width: 100% }}
td, th {{ text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8884 }}
</style>
</head>
<body>
<h1>{title}</h1>
{parts}
</body>
</html>
"""
HEADS = ("data snapshot", "run", "state", "version", "receipts")


@dataclass(frozen=True)
class Part:
    """Sentences, then a picture (a file beside the page) where there is one."""

    title: str
    sentences: tuple[str, ...]
    picture: str = ""


def write_page(file: Path, title: str, parts: Sequence[Part], lineage: Sequence[Step]) -> None:
    told = [_part(part) for part in parts] + [_lineage(lineage)]
    file.write_text(PAGE.format(title=html.escape(title), parts="\n".join(told)), "utf-8")


def _part(part: Part) -> str:
    lines = [f"<h2>{html.escape(part.title)}</h2>"]
    lines += [f"<p>{html.escape(sentence)}</p>" for sentence in part.sentences]
    if part.picture:
        lines.append(f'<img src="{html.escape(part.picture)}" alt="{html.escape(part.title)}">')
    return "\n".join(lines)


def _lineage(steps: Sequence[Step]) -> str:
    """What led to what, from left to right, the newest first."""
    if not steps:
        return "<h2>Lineage</h2>\n<p>No run is known in this home.</p>"
    rows = [_row("th", HEADS), *(_row("td", _cells(step)) for step in steps)]
    return "<h2>Lineage</h2>\n<table>\n" + "\n".join(rows) + "\n</table>"


def _cells(step: Step) -> tuple[str, ...]:
    run = f"{step.run.mode} {step.run.id}, {step.run.created_at:%Y-%m-%d %H:%M}, {step.run.who}"
    version = f"{step.version}{', promoted' if step.promoted else ''}"
    receipts = str(step.receipts) if step.receipts else ""
    return step.snapshot[:SHORT], run, step.run.state, version, receipts


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
