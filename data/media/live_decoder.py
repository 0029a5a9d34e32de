"""Compressed live sound -> 16-bit samples, in a process of its own for as long as it lasts.

    decoder = await live_decoder("OGG", 16_000)
    await decoder.write(b"OggS...")          # waits while the process has enough
    decoder.end()
    while samples := await decoder.read(): ...
    decoder.close()

One socket carries both ways: the event loop waits for neither.
"""

import asyncio
import signal
import socket
import subprocess

from data.errors import NotReady, UndecodableClip
from data.media.decode_pool import decoding_process

READ_BYTES = 64 * 1024
LIVE = {"OGG": "Ogg", "WEBM": "WebM"}  # containers that can be heard before they end


class LiveDecoder:
    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        container: str,
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._container = container

    async def write(self, part: bytes) -> None:
        try:
            self._writer.write(part)
            await self._writer.drain()
        except ConnectionError:  # it has ended; whoever reads is told how
            return

    def end(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def read(self) -> bytes:
        """Empty at the end; raises UndecodableClip, or NotReady, where it ended badly."""
        try:
            samples = await self._reader.read(READ_BYTES)
        except ConnectionError:
            samples = b""
        if not samples:
            self._must_have_ended_well(await asyncio.to_thread(self._process.wait))
        return samples

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._writer.close()

    def _must_have_ended_well(self, code: int) -> None:
        name = LIVE[self._container]
        if code == -signal.SIGKILL:  # not a limit of ours: the system's memory is at its end
            raise NotReady("the system ended what was decoding the stream; begin another")
        if code == -signal.SIGXCPU:
            raise UndecodableClip(f"this {name} stream takes far too much work for its size")
        if code:
            raise UndecodableClip(f"this {name} stream is damaged, or holds no sound")


async def live_decoder(container: str, rate_hz: int) -> LiveDecoder:
    """Of a container in LIVE."""
    ours, theirs = socket.socketpair()
    with theirs:
        end = theirs.fileno()
        process = decoding_process(
            "data.media.live_process", container, str(rate_hz), stdin=end, stdout=end
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    return LiveDecoder(process, reader, writer, container)
