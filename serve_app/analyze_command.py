"""What happens when in recordings of any length, without a service.

    telltale analyze night.flac --domain wildlife
    telltale analyze recordings/ --domain faults --output events.csv
    telltale analyze night.flac --url https://sounds.example.org    # by a running service, as a job

Each event is a row; a file without any, or that cannot be read, has one row that says so. Run again
with the same --output it goes on with the files that are not in there yet.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from threadpoolctl import threadpool_limits

from data.domains.domain import AudioDomain, load_domains, of_sounds
from data.errors import (
    ClipError,
    ClipTooLarge,
    InvalidParameter,
    TelltaleError,
    UndecodableClip,
    UnsupportedClip,
)
from data.media.audio.recording_stream import open_recording
from data.media.audio.waveform import RecordingStream
from data.media.sniff import sniff
from data.progress import progress
from data.terminal import command, new_parser
from models.analysis.sliding_windows import Analysis, Wishes, planned, wishes_from
from models.analysis.sound_events import Event, find_events
from models.analysis.tables import COLUMNS, row
from models.runtime import Model
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.replica.champion import LoadedVersion
from serve_app.replica.current_version import current_version
from serve_app.service_commands import client_of
from serve_app.settings import settings_from_env

Row = dict[str, str | float]


@dataclass(frozen=True)
class Heard:
    version: str
    duration_s: float
    warnings: Sequence[str]
    rows: list[Row]  # an event each


Watch = Callable[[float | None], None]  # is told which share is done, where that is known
Hear = Callable[[BinaryIO, Watch], Heard]
OF_CLIPS: dict[int, type[ClipError]] = {
    413: ClipTooLarge,
    415: UnsupportedClip,
    422: UndecodableClip,
    500: UndecodableClip,  # of one recording: the others are analysed all the same
}

FIELDS = ("file", *COLUMNS, "duration_s", "version", "warnings", "problem")


@command(TelltaleError, ServiceError)
def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        # Few matrices are large enough for a second thread, and each waits for the other.
        with threadpool_limits(1):
            return analyze(options)
    except KeyboardInterrupt:
        print("telltale: stopped; run it again to go on", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("telltale analyze", __doc__)
    parser.add_argument("path", type=Path, help="a recording, or a folder of them")
    parser.add_argument("--domain", default="", help="default: the first domain")
    parser.add_argument("--output", type=Path, help="a CSV to go on with; default: the terminal")
    parser.add_argument("--url", help="of a service that analyses them; its key in TELLTALE_KEY")
    parser.add_argument("--limit", type=int, help="analyse at most so many recordings now")
    for name, meaning in (
        ("hop-s", "from a window to the next; default: a fifth of the window"),
        ("min-length-s", "of an event, and for which it is sure; default: half a window"),
        ("merge-gap-s", "that is bridged within an event; default: the hop"),
        ("top-n", "of a recording only so many events, the surest"),
        ("threshold", "label:probability from which on it is an event, as rain:0.7; repeatable"),
    ):
        parser.add_argument(f"--{name}", action="append", default=[], help=meaning)
    return parser


def analyze(options: argparse.Namespace) -> int:
    """1 if a file could not be read."""
    said = {name: getattr(options, name) for name in ("hop_s", "min_length_s", "merge_gap_s")}
    wishes = wishes_from({**said, "top_n": options.top_n, "threshold": options.threshold})
    settings = settings_from_env()
    name = options.domain or settings.domains[0]
    if options.url:
        with client_of(options.url) as client:
            return _all(options, name, by_service(client, name, wishes))
    domain = of_sounds(load_domains(names=(name,))[name])
    served = current_version(settings.home, name)
    planned(served.model, domain, wishes)  # refuses before a file is opened
    return _all(options, name, by_model(served, domain, wishes), served.version)


def _all(options: argparse.Namespace, domain: str, hear: Hear, version: str = "") -> int:
    done = _done(options.output)
    files = [file for file in _files(options.path) if str(file) not in done]
    counts, start = dict.fromkeys(("events", "failed", "no recordings"), 0), Row(version=version)
    looked = 0
    with _table(options.output, new=_is_new(options.output)) as write:
        for looked, file in enumerate(files, 1):
            rows = _rows(file, f"{looked}/{len(files)} {file.name}", hear)
            counts["no recordings"] += not rows
            counts["failed"] += any(found["problem"] for found in rows)
            counts["events"] += sum(bool(found.get("label")) for found in rows)
            write([start | found for found in rows])
            if looked - counts["no recordings"] == options.limit:
                break
    print(_summary(domain, looked, counts, len(done)), file=sys.stderr)
    return int(counts["failed"] > 0)


def _summary(domain: str, files: int, counts: dict[str, int], before: int) -> str:
    left_out = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    known = f"; {before} known before" if before else ""
    return f"{domain}: {files} files, {left_out or 'no events'}{known}"


def _files(path: Path) -> list[Path]:
    """Raises InvalidParameter where there is nothing. Hidden files are nobody's."""
    if path.is_dir():
        return [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
        ]
    if not path.is_file():
        raise InvalidParameter(f"there is no file or folder {str(path)!r}")
    return [path]


def _is_new(output: Path | None) -> bool:
    return output is None or not output.exists() or not output.stat().st_size


def _done(output: Path | None) -> set[str]:
    """The files that the table has already; raises InvalidParameter for another kind of table."""
    if output is None or _is_new(output):
        return set()
    with output.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
        rows = csv.DictReader(lines)
        if tuple(rows.fieldnames or ()) != FIELDS:
            raise InvalidParameter(f"{output.name} is another table; its columns must be {FIELDS}")
        return {found["file"] for found in rows}


@contextmanager
def _table(output: Path | None, new: bool) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Writes the rows of a recording at once: when it is stopped, each has all of them or none."""
    target: AbstractContextManager[TextIO] = (
        nullcontext(sys.stdout)
        if output is None
        else output.open("a", newline="", encoding="utf-8", errors="surrogateescape")
    )
    with target as lines:

        def write(rows: Sequence[Row], header: bool = False) -> None:
            text = io.StringIO()
            table = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
            if header:
                table.writeheader()
            table.writerows(rows)
            lines.write(text.getvalue())
            lines.flush()

        write([], header=new)
        yield write


def _rows(file: Path, title: str, hear: Hear) -> list[Row]:
    """None of a file that is no recording."""
    start: Row = {"file": str(file), "problem": ""}
    try:
        with file.open("rb") as opened, progress(title, 100, unit="%") as advance:
            found = hear(opened, _in_percent(advance))
    except UnsupportedClip:
        return []
    except (ClipError, OSError) as error:
        return [start | {"problem": str(error)}]
    start |= {"duration_s": round(found.duration_s, 3), "version": found.version}
    start |= {"warnings": "; ".join(found.warnings)}
    return [start | row for row in found.rows] or [start]


def _in_percent(advance: Callable[[int], object]) -> Watch:
    told = 0

    def watch(done: float | None) -> None:
        nonlocal told
        now = int(100 * (done or 0))
        advance(now - told)
        told = now

    return watch


def by_model(served: LoadedVersion, domain: AudioDomain, wishes: Wishes) -> Hear:
    def hear(file: BinaryIO, watch: Watch) -> Heard:
        stream, events = events_of(file, served.model, domain, wishes, watch)
        rows = [row(event) for event in events]
        return Heard(served.version, stream.duration_s, stream.warnings, rows)

    return hear


def events_of(
    file: BinaryIO, model: Model, domain: AudioDomain, wishes: Wishes, watch: Watch
) -> tuple[RecordingStream, list[Event]]:
    """The recording, read to its end, and its events."""
    hop_s, rules = planned(model, domain, wishes)
    rate_hz = of_sounds(model.card.domain).input.sample_rate_hz
    with open_recording(file, domain.limits, rate_hz) as stream:
        analysis = Analysis(model, stream, hop_s)
        while analysis.step():
            watch(analysis.done)
        return stream, find_events(analysis.heard(), rules)


def by_service(client: Client, domain: str, wishes: Wishes) -> Hear:
    """Raises ServiceError for what is wrong, but with a recording: that is a ClipError."""
    said: Any = {name: value for name, value in vars(wishes).items() if value is not None}

    def hear(file: BinaryIO, watch: Watch) -> Heard:
        if not os.fstat(file.fileno()).st_size:
            sniff(b"")  # says so; nothing is sent
        try:
            found = client.analyze_as_job(
                domain, file, watch=lambda progress: watch(progress.done), **said
            )
        except ServiceError as error:
            if error.status in OF_CLIPS:
                raise OF_CLIPS[error.status](str(error)) from error
            raise
        rows = [event.model_dump() for event in found.events]
        recording = found.recording
        return Heard(found.model.version, recording.duration_s, recording.warnings, rows)

    return hear


if __name__ == "__main__":
    sys.exit(main())
