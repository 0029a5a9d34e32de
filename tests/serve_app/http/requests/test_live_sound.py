"""live_sound.py: a stream that is heard too slowly is heard at fewer places, and goes on."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from data.errors import Overloaded
from serve_app.http.requests import live_sound
from serve_app.http.requests.live_sound import Sound, Window

RATE_HZ, WINDOW_S, HOP_S = 1_000, 0.6, 0.1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(live_sound, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def windows_of(
    clock: SimpleNamespace, answer_s: Callable[[float], float], seconds: float, lump_s: float = 0.02
) -> list[Window]:
    """Of sound as it is recorded, which comes in lumps."""
    sound, sent_s = Sound(RATE_HZ, WINDOW_S, HOP_S, 3_600), 0.0

    def pass_until(now_s: float) -> None:
        nonlocal sent_s
        clock.now_s = now_s
        while sent_s + lump_s <= now_s < seconds:
            sent_s += lump_s
            sound.put(bytes(2 * round(lump_s * RATE_HZ)))

    async def hear() -> list[Window]:
        found: list[Window] = []
        while clock.now_s < seconds:
            asked = asyncio.ensure_future(sound.window())
            await asyncio.sleep(0)
            while not asked.done() and clock.now_s < seconds:
                pass_until(clock.now_s + 0.01)
                await asyncio.sleep(0)
            if not asked.done():
                asked.cancel()
                break
            window = asked.result()
            assert window
            found.append(window)
            pass_until(clock.now_s + answer_s(clock.now_s))
        return found

    return asyncio.run(hear())


def test_who_keeps_up_hears_every_window(clock: SimpleNamespace) -> None:
    for lump_s in (0.02, 1.0):
        clock.now_s = 0.0
        found = windows_of(clock, lambda now_s: 0.03, 20, lump_s)
        assert {window.skipped for window in found} == {0}
        assert len(found) > 180


def test_who_does_not_keep_up_skips_and_says_so(clock: SimpleNamespace) -> None:
    found = windows_of(clock, lambda now_s: 0.25, 60)
    assert len(found) > 200
    for before, window in zip(found, found[1:], strict=False):
        hops = round((window.start_s - before.start_s) / HOP_S)
        assert hops == window.skipped + 1
        assert hops <= 3, "all of the sound is heard twice"
    assert found[-1].start_s + WINDOW_S > 59, "it is not late"


def test_behind_a_hard_time_every_window_is_heard_again(clock: SimpleNamespace) -> None:
    found = windows_of(clock, lambda now_s: 0.28 if now_s < 10 else 0.01, 20)
    assert any(window.skipped for window in found)
    assert not any(window.skipped for window in found if window.start_s > 11)


def test_what_is_hopeless_is_ended(clock: SimpleNamespace) -> None:
    with pytest.raises(Overloaded, match="faster than it is heard"):
        windows_of(clock, lambda now_s: 1.0, 60)


def heard_of(seconds: float) -> list[Window]:
    """Of sound that has ended before it is heard."""
    sound = Sound(RATE_HZ, WINDOW_S, HOP_S, 3_600)
    sound.put(bytes(2 * round(seconds * RATE_HZ) + 1))  # and half a sample
    sound.end()

    async def hear() -> list[Window]:
        found = []
        while window := await sound.window():
            found.append(window)
        return found

    return asyncio.run(hear())


@pytest.mark.parametrize(
    ("seconds", "starts_s"),
    [
        (0.0, []),
        (0.2, [-0.2]),  # in the middle of silence
        (0.6, [0.0]),
        (0.75, [0.0, 0.1, 0.15]),
        (0.705, [0.0, 0.1]),  # the rest is not worth another
    ],
)
def test_sound_is_heard_to_its_end(seconds: float, starts_s: list[float]) -> None:
    found = heard_of(seconds)
    assert [window.start_s for window in found] == pytest.approx(starts_s)
    assert {len(window.wav) for window in found} <= {44 + 2 * round(min(seconds, 0.6) * RATE_HZ)}
    assert not any(window.skipped for window in found)
