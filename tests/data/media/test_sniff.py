"""What a clip is, told by its bytes."""

import pytest

from data.errors import UndecodableClip, UnsupportedClip
from data.media.sniff import UNKNOWN, after_tags, sniff, sniff_image
from support.inputs.recordings import CLIPS


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
        (b"\0\0\0\x18ftypavif" + bytes(16), "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "BMP"),
        (b"RIFF\x24\0\0\0CDDAfmt ", "track on a CD"),
        (b"#EXTM3U\n#EXTINF:1,\na.mp3\n", "play list"),
        (b"\x02#!SILK_V3" + bytes(16), "SILK"),
        (b"skiffree text, where a QuickTime file has a box", "text"),
    ],
)
def test_what_is_no_sound_file_is_called_by_its_name(raw: bytes, name: str) -> None:
    with pytest.raises(UnsupportedClip, match=f"{name}.*send WAV, FLAC.*AMR or WMA"):
        sniff(raw)


@pytest.mark.parametrize("raw", [b"", b"RIFF", b"RIFF\x24\0\0\0WA"])
def test_a_clip_too_short_to_tell_is_cut_off(raw: bytes) -> None:
    with pytest.raises(UndecodableClip, match=f"{len(raw)} bytes"):
        sniff(raw)


def test_what_has_no_name_is_left_to_the_decoders() -> None:
    assert sniff(bytes(1000)) == UNKNOWN
    assert sniff(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(range(256)) * 9) == UNKNOWN


def test_tags_are_taken_off_in_front_of_any_sound() -> None:
    tag = b"ID3\x03\0\0\0\0\x01\0" + bytes(128)
    for _, make in CLIPS.values():
        raw = make()
        if not raw.startswith(b"ID3"):
            assert after_tags(tag + tag + raw) == raw
    assert after_tags(tag + b"what?") == tag + b"what?"


@pytest.mark.parametrize("stray", [b"", b"\0", b"\r\n"])
def test_a_jpeg_is_known_among_stray_bytes(stray: bytes) -> None:
    assert sniff_image(stray + b"\xff\xd8" + stray + b"\xff\xe0\0\x10JFIF") == "JPEG"
