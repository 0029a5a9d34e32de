"""Forms that were damaged on their way, or by somebody: each is answered or refused, on every route
that takes one."""

import random
from collections.abc import Callable
from pathlib import Path

import httpx

from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering

EACH = 40
CLIP = tone(seconds=0.3, rate_hz=8_000)
ROUTES: dict[str, tuple[str, dict[str, str]]] = {
    "/predict": ("file", {}),
    "/analyze": ("file", {}),
    "/batch-predict": ("files", {}),
    "/feedback": ("file", {"label": "one", "group": "ann"}),
    "/upload": ("files", {"label": "one", "group": "ann"}),
}
BOUNDARY = b"between-the-parts"
TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"

Mutation = Callable[[random.Random, bytes], bytes]


def cut(dice: random.Random, body: bytes) -> bytes:
    return body[: dice.randrange(len(body))]


def without_a_part_of_it(dice: random.Random, body: bytes) -> bytes:
    start = dice.randrange(len(body))
    return body[:start] + body[start + dice.randrange(200) :]


def boundary_broken(dice: random.Random, body: bytes) -> bytes:
    broken = BOUNDARY[: dice.randrange(len(BOUNDARY))] + bytes([dice.randrange(256)])
    return body.replace(BOUNDARY, broken, dice.randint(1, 3))


def header_broken(dice: random.Random, body: bytes) -> bytes:
    old = dice.choice([b"form-data", b"name=", b'"', b": ", b"\r\n\r\n", b"filename", b"\r\n"])
    new = dice.choice([b"", b"\0", b"\r", b";" * 50, b'name="x', b"\xff\xfe", b"filename*=utf-8''"])
    return body.replace(old, new, dice.randint(1, 4))


def doubled(dice: random.Random, body: bytes) -> bytes:
    parts = body.split(b"--" + BOUNDARY)
    parts.insert(dice.randrange(len(parts)), dice.choice(parts))
    return (b"--" + BOUNDARY).join(parts)


def lengths_wrong(dice: random.Random, body: bytes) -> bytes:
    """Of the clip: where the header says how much there is of it."""
    start = body.index(b"RIFF")
    place = start + dice.choice([4, 16, 22, 24, 28, 32, 34, 40])
    return body[:place] + dice.randbytes(4) + body[place + 4 :]


def flipped(dice: random.Random, body: bytes) -> bytes:
    damaged = bytearray(body)
    first = dice.choice([0, body.index(b"RIFF")])
    for _ in range(dice.randint(1, 20)):
        damaged[min(len(body) - 1, first + dice.randrange(400))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


MUTATIONS: tuple[Mutation, ...] = (
    *(cut, without_a_part_of_it, boundary_broken, header_broken, doubled, lengths_wrong, flipped),
)


def whole(name: str, fields: dict[str, str]) -> bytes:
    request = httpx.Request(
        "POST",
        "http://x",
        data=fields,
        files={name: ("a.wav", CLIP, "audio/wav")},
        headers={"content-type": TYPE},
    )
    return request.read()


def test_a_damaged_form_is_never_our_mistake(tmp_path: Path) -> None:
    replica, dice = Replica("keywords", tmp_path), random.Random(14)
    seen: set[int] = set()
    headers = {"content-type": TYPE, "authorization": f"Bearer {ADMIN}"}
    with answering(replica) as client:
        for route, (name, fields) in ROUTES.items():
            form = whole(name, fields)
            assert client.post(route, content=form, headers=headers).status_code < 300, route
            for number in range(EACH):
                mutation = MUTATIONS[number % len(MUTATIONS)]
                body = mutation(dice, form)
                found = client.post(route, content=body, headers=headers)
                told = f"{route} {mutation.__name__} {number}: {found.text[:200]}"
                assert found.status_code < 500, told
                seen.add(found.status_code)
    replica.store.close()
    assert {200, 201, 400, 415, 422} <= seen
