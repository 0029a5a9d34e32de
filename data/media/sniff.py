"""What a clip is, told by its bytes alone: file names and declared types are never trusted.

A sound file or a photograph is known by its first bytes. What is neither is named in words ("a PDF
document"), since most refused clips are honest mistakes.
"""

from data.errors import UndecodableClip, UnsupportedClip

ACCEPTED = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF, M4A, AAC, WebM, MP4, 3GP, AMR or WMA"

SOUND = (
    (b"fLaC", "FLAC"),
    (b"OggS", "OGG"),
    (b".snd", "AU"),
    (b"caff", "CAF"),
    (b"\x1aE\xdf\xa3", "WEBM"),
    (b"#!AMR", "AMR"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
)
# Form types stand behind the four bytes of a length: RIFF....WAVE
FORMS = {b"RIFFWAVE": "WAV", b"RF64WAVE": "WAV", b"FORMAIFF": "AIFF", b"FORMAIFC": "AIFF"}
BRANDS = (  # what follows "ftyp" in the family of MP4; any other brand is taken as MP4
    (b"M4A", "M4A"),
    (b"M4B", "M4A"),
    (b"3g", "3GP"),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
IMAGE_BRANDS = (*HEIF_BRANDS, b"avif")
ACCEPTED_IMAGES = "JPEG, PNG, WebP or HEIC"
IMAGES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
)
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
    (b"RIFF", "an AVI video or a WebP image"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"\xff\xfe", "text"),
    (b"\xfe\xff", "text"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
TEXT = (
    ("<!doctype html", "a web page (HTML)"),
    ("<html", "a web page (HTML)"),
    ("<", "XML"),
    ("{", "JSON"),
    ("[", "JSON"),
)


def sniff(raw: bytes) -> str:
    """The container's name, or UndecodableClip (too short to tell), or UnsupportedClip."""
    if not raw:
        raise UndecodableClip("the clip is empty (0 bytes); send the whole sound file")
    container = _sound(raw)
    if container is not None:
        return container
    if len(raw) < 12 and raw[:4] in (b"RIFF", b"RF64", b"FORM"):
        raise UndecodableClip(f"the clip is cut off after {len(raw)} bytes, within its header")
    raise UnsupportedClip(f"the clip is {_other(raw)}, not a sound file; send {ACCEPTED}")


def sniff_image(raw: bytes) -> str:
    """The format of a photograph, by Pillow's name, or the errors of `sniff`."""
    if not raw:
        raise UndecodableClip("the photograph is empty (0 bytes); send the whole file")
    for magic, name in IMAGES:
        if raw.startswith(magic):
            return name
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "WEBP"
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIF_BRANDS:
        return "HEIF"
    sound = _sound(raw)
    seen = f"a {sound} recording" if sound else _other(raw)
    raise UnsupportedClip(f"the clip is {seen}, not a photograph; send {ACCEPTED_IMAGES}")


def _sound(raw: bytes) -> str | None:
    form = FORMS.get(raw[:4] + raw[8:12])
    if form is not None:
        return form
    if raw[4:8] == b"ftyp":
        return _brand(raw[8:12])
    for magic, name in SOUND:
        if raw.startswith(magic):
            return name
    if raw.startswith(b"ID3"):
        return _sound(raw[_id3_length(raw) :][:64]) or "MP3"
    return _mpeg(raw)


def _brand(brand: bytes) -> str | None:
    if brand in IMAGE_BRANDS:
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


def _other(raw: bytes) -> str:
    if raw[4:12] in {b"ftyp" + brand for brand in IMAGE_BRANDS}:
        return "a HEIC or AVIF image"
    for magic, name in OTHER:
        if raw.startswith(magic):
            return name
    return _text(raw) or "of an unknown kind"


def _text(raw: bytes) -> str | None:
    head = raw[:512].decode("utf-8", errors="replace").rstrip("\ufffd").lstrip("\ufeff \t\r\n")
    if not all(letter.isprintable() or letter in "\t\r\n\f" for letter in head):
        return None
    return next((name for start, name in TEXT if head.lower().startswith(start)), "text")
