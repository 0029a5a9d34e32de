"""What a visitor gave to the page: a file, or a moment of a long one."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from data.domains.sections import LimitSpec
from data.errors import UndecodableClip
from data.media.audio.recording import encoded
from data.media.audio.recording_stream import open_recording
from serve_app.client.answers import DomainInfo
from serve_app.ui.shared import read_within


@dataclass(frozen=True)
class Given:
    name: str
    path: Path  # within the page's own upload folder, or of an example
    moment: tuple[float, float] | None = None  # from and to, in seconds
    recording: str = ""  # that it is a moment of
    job: str = ""  # that listens to it

    def read(self, domain: DomainInfo) -> bytes:
        """The file as it is, or the moment as WAV at the recording's own rate; raises ClipError."""
        if self.moment is None:
            return read_within(self.path, domain)
        return _cut(self.path, self.moment, domain)

    @property
    def address(self) -> str:
        """Where the browser finds the file that it sent."""
        return f"gradio_api/file={quote(str(self.path))}"


def _cut(path: Path, moment: tuple[float, float], domain: DomainInfo) -> bytes:
    from data.datasets.cut_clips import cut
    from data.datasets.selection_tables import Selection

    own = domain.limits
    limits = LimitSpec(max_bytes=own.max_bytes, max_duration_s=own.max_duration_s)
    with path.open("rb") as file, open_recording(file, limits) as stream:
        for _, samples in cut(stream, [Selection(*moment, label="")]):
            return encoded(samples, stream.source_rate_hz)
    raise UndecodableClip(f"{path.name} ends before {moment[0]:.1f} s")
