"""What a running service hears in live sound, as it happens.

    telltale listen keywords --microphone
    telltale listen faults pump.wav           a file, at the pace at which it was recorded

Each event is a line when it begins, and another when it has ended.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from data.domains.sections import LimitSpec
from data.errors import InvalidParameter, TelltaleError
from data.media.audio.recording_stream import open_recording
from data.terminal import command, new_parser
from serve_app.client.analysis_answers import StreamEvent, StreamReady
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.service_commands import client_of

BLOCK_S = 0.05
RATE_HZ = 16_000  # of what is sent at least, whatever a file has
LIMITS = LimitSpec(max_bytes=1_000, max_duration_s=1)  # of recordings: the usual ones

Blocks = Iterator[bytes]  # 16-bit samples, little-endian


@command(ServiceError, TelltaleError, OSError)
def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.file:
            options.file.stat()  # refused before anybody is asked how fast it is to be sent
        with client_of(options.url) as client:
            known = {each.name: each.sample_rate_hz for each in client.domains()}
            rate_hz = max(RATE_HZ, known.get(options.domain, 0))
            sound = _microphone(rate_hz) if options.microphone else _file(options.file, rate_hz)
            with sound as blocks:
                return listen(client, options.domain, rate_hz, blocks)
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("telltale listen", __doc__)
    parser.add_argument("domain")
    sound = parser.add_mutually_exclusive_group(required=True)
    sound.add_argument("file", type=Path, nargs="?")
    sound.add_argument("--microphone", action="store_true", help="needs: pip install sounddevice")
    parser.add_argument("--url", help="default: the service of this machine")
    return parser


def listen(client: Client, domain: str, rate_hz: int, blocks: Blocks) -> int:
    for found in client.stream(domain, blocks, rate_hz):
        if isinstance(found, StreamReady):
            print(f"{found.domain}, version {found.model.version}: listening", file=sys.stderr)
        elif isinstance(found, StreamEvent):
            until = f"to {found.end_s:.2f} s" if found.ended else "..."
            print(
                f"{found.start_s:8.2f} s {found.label} ({found.confidence:.2f}) {until}", flush=True
            )
    return 0


@contextmanager
def _file(path: Path, rate_hz: int) -> Iterator[Blocks]:
    with path.open("rb") as file, open_recording(file, LIMITS, rate_hz) as recording:
        yield _paced(recording.blocks, rate_hz)


def _paced(blocks: Iterator[np.ndarray], rate_hz: int) -> Blocks:
    step, sent_s, started = round(BLOCK_S * rate_hz), 0.0, time.monotonic()
    for block in blocks:
        samples = (np.clip(block, -1, 1) * 32_767).astype("<i2")
        for part in np.split(samples, range(step, len(samples), step)):
            time.sleep(max(0.0, started + sent_s - time.monotonic()))
            yield part.tobytes()
            sent_s += len(part) / rate_hz


@contextmanager
def _microphone(rate_hz: int) -> Iterator[Blocks]:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: without PortAudio
        raise InvalidParameter(
            f"the microphone needs the package sounddevice: pip install sounddevice ({error})"
        ) from error
    step = round(BLOCK_S * rate_hz)
    with sounddevice.RawInputStream(rate_hz, step, channels=1, dtype="int16") as opened:
        yield (bytes(opened.read(step)[0]) for _ in iter(int, 1))


if __name__ == "__main__":
    sys.exit(main())
