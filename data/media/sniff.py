"""What a clip is, told by its bytes alone: file names and declared types are never trusted.

A sound file or a photograph is known by its first bytes. What is neither is named in words ("a PDF
document"), since most refused clips are honest mistakes; of what has no name FFmpeg may know more.
"""

import re
from typing import TypeVar

from data.errors import UndecodableClip, UnsupportedClip

ACCEPTED = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF, M4A, AAC, WebM, MP4, 3GP, AMR or WMA"
Raw = bytes | memoryview  # of a file that is mapped into memory
AnyRaw = TypeVar("AnyRaw", bytes, memoryview)
UNKNOWN = ""  # no format that is known by its beginning, and nothing that is certainly no sound

SOUND = (
    (b"fLaC", "FLAC"),
    (b"OggS", "OGG"),
    (b".snd", "AU"),
    (b"caff", "CAF"),
    (b"\x1aE\xdf\xa3", "WEBM"),
    (b"#!AMR", "AMR"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
    (b"wvpk", "WavPack"),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", "W64"),
)
# Form types stand behind the four bytes of a length: RIFF....WAVE
FORMS = {
    b"RIFFWAVE": "WAV",
    b"RF64WAVE": "WAV",
    b"BW64WAVE": "WAV",
    b"RIFXWAVE": "WAV",
    b"FORMAIFF": "AIFF",
    b"FORMAIFC": "AIFF",
    b"RIFFAVI ": "AVI",
}
# A QuickTime file may begin with any of these boxes, in the place of "ftyp".
QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
LARGE_BOX = 8  # times 16 MiB; what text begins with would be more
MAX_TAGS = 8  # some programs write a tag in front of another's
BRANDS = (  # what follows "ftyp" in the family of MP4; any other brand is taken as MP4
    (b"M4A", "M4A"),
    (b"M4B", "M4A"),
    (b"3g", "3GP"),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
AVIF_BRANDS = (b"avif", b"avis")
ACCEPTED_IMAGES = "JPEG, PNG, WebP, BMP or HEIC"
PNG = b"\x89PNG\r\n\x1a\n"
# Of Windows and of OS/2: its header has one of these sizes, behind ten bytes that may be anything.
BMP = re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
# Decoders pass over bytes between a JPEG's markers, also behind its first and in front of it.
JPEG = re.compile(rb"[^\xff]{0,64}\xff\xd8[^\xff]{0,64}\xff+[\x01-\xfe]")
OTHER = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop document"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"#!SILK", "a SILK voice message"),
    (b"\x02#!SILK", "a SILK voice message"),
    (b"\xff\xfe", "text"),
    (b"\xfe\xff", "text"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
RIFFS = {
    b"WEBP": "a WebP image",
    b"RMID": "a MIDI file, which holds notes and no sound",
    b"CDDA": "a shortcut to a track on a CD, which holds no sound",
}
TEXT = (
    ("#extm3u", "a play list, which holds no sound"),
    ("[playlist]", "a play list, which holds no sound"),
    ("<!doctype html", "a web page (HTML)"),
    ("<html", "a web page (HTML)"),
    ("<", "XML"),
    ("{", "JSON"),
    ("[", "JSON"),
)


def sniff(raw: bytes) -> str:
    """The container's name, UNKNOWN, or UndecodableClip (too short to tell), or UnsupportedClip."""
    if not raw:
        raise UndecodableClip("the clip is empty (0 bytes); send the whole sound file")
    container = _sound(raw)
    if container is not None:
        return container
    if len(raw) < 12 and raw[:4] in (b"RIFF", b"RF64", b"FORM"):
        raise UndecodableClip(f"the clip is cut off after {len(raw)} bytes, within its header")
    other = _other(raw)
    if other is not None:
        raise no_sound(other)
    return UNKNOWN


def no_sound(kind: str = "of an unknown kind") -> UnsupportedClip:
    return UnsupportedClip(f"the clip is {kind}, not a sound file; send {ACCEPTED}")


def sniff_image(raw: bytes) -> str:
    """The format of a photograph, by Pillow's name, or the errors of `sniff`."""
    if not raw:
        raise UndecodableClip("the photograph is empty (0 bytes); send the whole file")
    if raw.startswith(PNG):
        return "PNG"
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "WEBP"
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIF_BRANDS:
        return "HEIF"
    if BMP.match(raw):
        return "BMP"
    if JPEG.match(raw):
        return "JPEG"
    sound = _sound(raw)
    seen = f"a {sound} recording" if sound else _other(raw) or "of an unknown kind"
    raise UnsupportedClip(f"the clip is {seen}, not a photograph; send {ACCEPTED_IMAGES}")


def after_tags(raw: AnyRaw) -> AnyRaw:
    """Without the ID3v2 tags in front of the sound, which only players of MP3 look for."""
    start = 0
    for _ in range(MAX_TAGS):
        if raw[start : start + 3] != b"ID3":
            break
        start += _id3_length(bytes(raw[start : start + 10]))
    return raw[start:] if start and _sound(bytes(raw[start : start + 64])) else raw


def _sound(raw: bytes) -> str | None:
    form = FORMS.get(raw[:4] + raw[8:12])
    if form is not None:
        return form
    if raw[4:8] == b"ftyp":
        return _brand(raw[8:12])
    if raw[4:8] in QUICKTIME and raw[0] < LARGE_BOX:
        return "MP4"
    for magic, name in SOUND:
        if raw.startswith(magic):
            return name
    return "MP3" if raw.startswith(b"ID3") else _mpeg(raw)


def _brand(brand: bytes) -> str | None:
    if brand in (*HEIF_BRANDS, *AVIF_BRANDS):
        return None
    return next((name for start, name in BRANDS if brand.startswith(start)), "MP4")


def _id3_length(raw: bytes) -> int:
    """Bytes of the ID3v2 tag in front of the sound; its size has seven bits in each byte."""
    size = 0
    for byte in raw[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _mpeg(raw: bytes) -> str | None:
    """MP3 and AAC streams have no magic, only frames that begin with eleven set bits."""
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0:
        return None
    if raw[1] & 0xF6 == 0xF0:
        return "AAC"
    layer, bit_rate, sample_rate = raw[1] >> 1 & 3, raw[2] >> 4, raw[2] >> 2 & 3
    return "MP3" if layer in (1, 2) and bit_rate != 15 and sample_rate != 3 else None


def _other(raw: bytes) -> str | None:
    if raw[4:8] == b"ftyp":
        return "an AVIF image" if raw[8:12] in AVIF_BRANDS else "a HEIC image"
    if raw[:4] == b"RIFF" and raw[8:12] in RIFFS:
        return RIFFS[raw[8:12]]
    for magic, name in OTHER:
        if raw.startswith(magic):
            return name
    return "a BMP image" if BMP.match(raw) else _text(raw)


def _text(raw: bytes) -> str | None:
    """Judged by both ends: a sound may follow on a line or two."""
    head, tail = _letters(raw[:512]), _letters(raw[-512:])
    if head is None or tail is None:
        return None
    return next((name for start, name in TEXT if head.lower().startswith(start)), "text")


def _letters(part: bytes) -> str | None:
    """The text that it is, if it is; a cut may have gone through a letter at both ends."""
    text = part.decode("utf-8", errors="replace").strip("\ufffd").lstrip("\ufeff \t\r\n")
    printable = all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
    return text if printable else None
