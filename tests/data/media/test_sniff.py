"""What a clip is, told by its bytes."""

import pytest

from data.errors import UndecodableClip, UnsupportedClip
from data.media.sniff import sniff
from support.recordings import CLIPS


@pytest.mark.parametrize("name", CLIPS)
def test_the_content_tells_the_container(name: str) -> None:
    container, make = CLIPS[name]
    assert sniff(make()) == container


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
        (b"\0\0\0\x18ftypheic" + bytes(16), "HEIC"),
        (b"MThd\0\0\0\x06", "MIDI"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?>", "XML"),
        (b'{"detail": "not found"}', "JSON"),
        ("Müller, \u201ehello\u201c".encode() * 99, "text"),
        ("hello".encode("utf-16"), "text"),
        (b"\0" * 1000, "unknown kind"),
    ],
)
def test_what_is_no_sound_file_is_called_by_its_name(raw: bytes, name: str) -> None:
    with pytest.raises(UnsupportedClip, match=f"{name}.*send WAV, FLAC.*AMR or WMA"):
        sniff(raw)


@pytest.mark.parametrize("raw", [b"", b"RIFF", b"RIFF\x24\0\0\0WA"])
def test_a_clip_too_short_to_tell_is_cut_off(raw: bytes) -> None:
    with pytest.raises(UndecodableClip, match=f"{len(raw)} bytes"):
        sniff(raw)
