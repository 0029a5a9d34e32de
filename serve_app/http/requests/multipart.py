"""Takes a form apart, whoever reads it: the same parts, and the same words for a wrong one.

A part is what its name says, whatever its other headers do: a file needs no file name. Who reads a
form tells which parts it may have (`Rules`); any other is refused by name as soon as it begins,
since it may be the mask that somebody meant.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import (
    MAX_BOUNDARY_LENGTH,
    MultipartParser,
    parse_options_header,
)

from data.errors import InvalidParameter

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FILES = 1000  # of one form, whatever their names: each may take a descriptor
TEXT_BYTES = 1024  # of a part that is no file
PREAMBLE_BYTES = 64 * 1024  # before the first part; nobody is meant to read it
FILE_NAME_BYTES = 200  # what is shorter, text and without a file name, was meant as the name of one
PLAIN = {b"", b"binary", b"8bit", b"7bit"}
# Read here, since the parser's own reading forgets `filename*` and the folders of a Windows path.
OPTION = re.compile(rb';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
EXTENDED = re.compile(rb"[\w-]*'[\w-]*'(.*)", re.DOTALL)  # charset'language'percent-encoded


@dataclass(frozen=True)
class PartRule:
    """`most` is how many parts may have the name."""

    is_file: bool
    most: int = 1


Rules = Mapping[str, PartRule]


@dataclass(eq=False)
class FormPart:
    """`start` is all of a text, and of a file as much as tells whether it is one."""

    name: str
    filename: str | None
    is_file: bool
    size: int = 0
    start: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        return self.start.decode("utf-8", errors="replace").strip()


class FormReader:
    """Is fed the bytes of a form; `parts` are those that have begun, `pending` the bytes of files
    since whoever feeds it last took them. Everything raises InvalidParameter."""

    def __init__(self, content_type: str, rules: Rules) -> None:
        boundary = boundary_of(content_type)
        self.parts: list[FormPart] = []
        self.pending: list[tuple[FormPart, bytes]] = []
        self._rules = rules
        self._names: Counter[str] = Counter()
        self._files = 0
        self._parser = MultipartParser(boundary, self._callbacks())
        self._line = b"--" + boundary
        self._first = re.compile(rb"(?:\A|\n)(" + re.escape(self._line) + rb")(?:\r\n|--)")
        self._preamble: bytes | None = b""  # None once the first part has begun
        self._open = False  # a part has begun, and not ended
        self._field = self._value = b""
        self._headers: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> None:
        if self._preamble is not None:
            data = self._behind_preamble(self._preamble + data if self._preamble else data)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidParameter(f"the multipart form is damaged: {error}") from error

    def finish(self) -> None:
        if self._preamble is not None:
            raise InvalidParameter(
                f"the form is damaged: its boundary {self._line.decode('latin-1')!r} never comes"
            )
        if self._open:
            raise InvalidParameter("the form is cut off within a part; send it whole, file and all")

    def _behind_preamble(self, data: bytes) -> bytes:
        """From the first boundary on; nothing while it has not come."""
        if begun := self._first.search(data):
            self._preamble = None
            return data[begun.start(1) :]
        if len(data) > PREAMBLE_BYTES:
            raise InvalidParameter(
                f"the form is damaged: {PREAMBLE_BYTES:,} bytes came, and no boundary "
                f"{self._line.decode('latin-1')!r} among them"
            )
        self._preamble = data
        return b""

    def _callbacks(self) -> "MultipartCallbacks":
        """Each gets the buffer and the range that it speaks of."""
        return {
            "on_part_begin": self._on_begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_end,
        }

    def _on_begin(self) -> None:
        self._open = True
        self._headers = {}

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _on_headers(self) -> None:
        name, filename = names_of(self._headers.get(b"content-disposition", b""))
        rule = self._allowed(name)
        if filename is not None and not rule.is_file:
            raise InvalidParameter(f"the part {name!r} must be text, without a file name")
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if encoding not in PLAIN:
            raise InvalidParameter(
                f"the part {name!r} is encoded as {encoding[:40].decode('latin-1')!r}; send its "
                "bytes as they are, without Content-Transfer-Encoding"
            )
        self.parts.append(FormPart(name, filename, rule.is_file))

    def _allowed(self, name: str) -> PartRule:
        rule = self._rules.get(name)
        if rule is None:
            raise InvalidParameter(
                f"the form has a part {name[:80]!r}, which is not known; known are "
                f"{', '.join(self._rules)}"
            )
        self._names[name] += 1
        self._files += rule.is_file
        if self._names[name] > rule.most == 1:
            raise InvalidParameter(f"the form has two parts {name!r}, and takes one")
        if self._names[name] > rule.most:
            raise InvalidParameter(f"the form has more than {rule.most:,} parts {name!r}")
        if self._files > MAX_FILES:
            raise InvalidParameter(
                f"the form has more than {MAX_FILES:,} files; send several forms"
            )
        return rule

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part.is_file:
            self.pending.append((part, data[start:end]))
        elif part.size > TEXT_BYTES:
            raise InvalidParameter(
                f"the text of the part {part.name!r} has over {TEXT_BYTES} bytes"
            )
        part.start += data[start : min(end, start + TEXT_BYTES - len(part.start))]

    def _on_end(self) -> None:
        self._open = False
        part = self.parts[-1]
        if not part.is_file or part.filename is not None or part.size > FILE_NAME_BYTES:
            return
        if part.text.isprintable() and "\ufffd" not in part.text and part.text:
            raise InvalidParameter(
                f"the part {part.name!r} must be a file, as -F {part.name}=@name; this is the text "
                f"{part.text[:80]!r}"
            )


def boundary_of(content_type: str) -> bytes:
    """Raises InvalidParameter where there is none, or one that is too long."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidParameter("multipart/form-data needs a boundary in its Content-Type")
    if len(boundary) > MAX_BOUNDARY_LENGTH:
        raise InvalidParameter(
            f"the form's boundary has {len(boundary):,} characters; at most "
            f"{MAX_BOUNDARY_LENGTH} are allowed"
        )
    return boundary


def names_of(disposition: bytes) -> tuple[str, str | None]:
    """A part's name and file name, which is kept as it was sent, folders and all: it names the
    file in answers and is never a path here."""
    options = {key.lower(): quoted or bare for key, quoted, bare in OPTION.findall(disposition)}
    filename = options.get(b"filename")
    extended = EXTENDED.fullmatch(options.get(b"filename*", b""))
    if filename is None and extended is not None:
        filename = unquote_to_bytes(extended[1])
    name = _decoded(options.get(b"name", b""))
    return name, None if filename is None else _decoded(filename)


def _decoded(raw: bytes) -> str:
    plain = raw.replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.decode("latin-1")
