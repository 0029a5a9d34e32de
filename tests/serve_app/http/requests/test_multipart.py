"""multipart.py: a form is read alike by every route, and a wrong part is refused by its name."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serve_app.http.requests.multipart import names_of
from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering

CLIP = tone()
# Each with the name of its file, and the other parts that it needs.
ROUTES = {
    "/predict": ("file", b""),
    "/feedback": ("file", b'--b\r\nContent-Disposition: form-data; name="label"\r\n\r\ntwo\r\n'),
    "/batch-predict": ("files", b""),
    "/upload": ("files", b'--b\r\nContent-Disposition: form-data; name="label"\r\n\r\ntwo\r\n'),
}
KIND = {"content-type": "multipart/form-data; boundary=b", "authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with tempfile.TemporaryDirectory() as home:
        replica = Replica("keywords", Path(home))
        with answering(replica) as found:
            yield found
        replica.store.close()


def part(name: str, more: str, body: bytes = CLIP, headers: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n'
    return b"--b\r\n" + disposition.encode() + body + b"\r\n"


def ask(client: TestClient, path: str, *parts: bytes, first: bytes = b"") -> Any:
    return client.post(path, content=first + b"".join(parts) + b"--b--\r\n", headers=KIND)


def was_heard(path: str, found: Any) -> bool:
    """The clip came through: a form with many files is answered even where none is right."""
    body = found.json()
    if path == "/batch-predict":
        return bool(body["aggregate"]["failed"] == 0)
    if path == "/upload":
        return body["results"][0]["outcome"] in {"stored", "duplicate"}
    return bool(found.status_code in {200, 201})


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "more",
    [
        *('; filename="a.wav"', "; filename=a.wav", '; filename=""', ""),
        *("; filename*=UTF-8''Bl%C3%A5.wav", "; filename=\"a.wav\"; filename*=utf-8''b.wav"),
        *('; filename="C:\\clips\\a.wav"', '; filename="a;b=\\"c\\".wav"'),
    ],
)
def test_a_file_may_be_called_anything_or_nothing(client: TestClient, path: str, more: str) -> None:
    name, needed = ROUTES[path]
    assert was_heard(path, ask(client, path, part(name, more), needed))
    assert was_heard(path, ask(client, path, needed, part(name, more))), "in another order"


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "first", [b"\r\n", b"This is a form in MIME.\r\n", b"--bb\r\n\r\n", b"x" * 60_000 + b"\r\n"]
)
def test_what_comes_before_the_first_part_is_passed_over(
    client: TestClient, path: str, first: bytes
) -> None:
    name, needed = ROUTES[path]
    assert was_heard(path, ask(client, path, part(name, '; filename="a"'), needed, first=first))


WRONG: list[tuple[bytes, str]] = [
    (part("note", "", b"hello"), "a part 'note', which is not known; known are "),
    (part("mask[]", '; filename="m.png"'), "a part 'mask[]', which is not known"),
    (b"--b\r\nContent-Type: audio/wav\r\n\r\nclip\r\n", "a part '', which is not known"),
    (b"--b\r\n\r\nclip\r\n", "a part '', which is not known"),
    (part("file", '; filename="b.wav"') * 2, "two parts 'file', and takes one"),
    (part("file", "", b"clip.wav"), "the part 'file' must be a file, as -F file=@name"),
    (
        part("file", '; filename="a"', b"UklGRg==", "Content-Transfer-Encoding: base64\r\n"),
        "the part 'file' is encoded as 'base64'; send its bytes as they are",
    ),
]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_a_wrong_part_is_refused_by_name_on_every_route(
    client: TestClient, path: str, wrong: bytes, words: str
) -> None:
    name, needed = ROUTES[path]
    for parts in ((part(name, '; filename="a"'), needed, wrong), (wrong,)):
        found = ask(client, path, *parts)
        assert found.status_code == 400
        assert words in found.json()["detail"] or "two parts 'file'" in found.json()["detail"]


@pytest.mark.parametrize("path", ["/feedback", "/upload"])
@pytest.mark.parametrize(
    ("label", "words"),
    [
        (part("label", "", b"two") * 2, "two parts 'label'"),
        (part("label", '; filename="l.txt"', b"two"), "the part 'label' must be text"),
        (part("label", "", b"x" * 2000), "the text of the part 'label' has over 1024 bytes"),
    ],
)
def test_a_label_is_one_short_text(client: TestClient, path: str, label: bytes, words: str) -> None:
    found = ask(client, path, part(ROUTES[path][0], '; filename="a"'), label)
    assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text


@pytest.mark.parametrize("path", ROUTES)
def test_a_form_that_is_cut_off_or_compressed_is_refused_in_words(
    client: TestClient, path: str
) -> None:
    cut = client.post(path, content=part(ROUTES[path][0], "")[:-20], headers=KIND)
    assert (cut.status_code, "cut off within a part" in cut.json()["detail"]) == (400, True)
    headers = {**KIND, "content-encoding": "gzip"}
    packed = client.post(path, content=b"\x1f\x8b", headers=headers)
    assert (packed.status_code, "Content-Encoding 'gzip'" in packed.text) == (415, True)


@pytest.mark.parametrize(
    ("disposition", "names"),
    [
        (b'form-data; name="files"; filename="walls/one.jpg"', ("files", "walls/one.jpg")),
        (b'form-data; name="files"; filename="C:\\clips\\a.wav"', ("files", "C:\\clips\\a.wav")),
        (
            b"form-data; name=file; filename*=UTF-8''Bl%C3%A5%20fisk.wav",
            ("file", "Bl\u00e5 fisk.wav"),
        ),
        (b"form-data; filename=a.wav; name=file", ("file", "a.wav")),
        ('form-data; name="file"; filename="Bl\u00e5.wav"'.encode(), ("file", "Bl\u00e5.wav")),
        (
            'form-data; name="file"; filename="Bl\u00e5.wav"'.encode("latin-1"),
            ("file", "Bl\u00e5.wav"),
        ),
        (b'form-data; name="file"; filename="a \\"b\\".wav"', ("file", 'a "b".wav')),
        (b"form-data", ("", None)),
        (b"", ("", None)),
    ],
)
def test_names_are_read_as_they_were_sent(
    disposition: bytes, names: tuple[str, str | None]
) -> None:
    assert names_of(disposition) == names
