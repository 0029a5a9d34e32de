"""Who is let in when a replica is busy, and what the others are told."""

from contextlib import ExitStack

import pytest

from data.errors import Overloaded
from serve_app.replica.admission import CONTESTED, FEWEST, MAX_BYTES, MOST, Admission


def busy(clip_s: float, max_wait_s: float = 1.0) -> Admission:
    admission = Admission(max_wait_s)
    for _ in range(500):
        admission.measured(clip_s)
    return admission


def fill(admission: Admission, callers: list[str], stack: ExitStack) -> list[str]:
    """Lets callers in one after the other; who was refused."""
    refused = []
    for caller in callers:
        try:
            stack.enter_context(admission.place(caller))
        except Overloaded:
            refused.append(caller)
    return refused


@pytest.mark.parametrize(
    ("clip_s", "places"), [(0.01, 100), (0.005, 200), (1e-6, MOST), (10.0, FEWEST)]
)
def test_the_queue_is_as_long_as_its_clips_are_short(clip_s: float, places: int) -> None:
    assert busy(clip_s).places == pytest.approx(places, abs=1)


def test_a_full_queue_says_when_to_come_back() -> None:
    admission = busy(clip_s=0.03, max_wait_s=0.9)
    with ExitStack() as stack:
        fill(admission, [f"caller {i}" for i in range(40)], stack)
        with pytest.raises(Overloaded, match="try again in 1 s") as refusal:
            admission.check("late")
    assert refusal.value.retry_after_s == 1


def test_a_place_is_free_again_afterwards_also_when_the_clip_failed() -> None:
    admission = busy(clip_s=0.1)
    for _ in range(100):
        with pytest.raises(ValueError, match="bad clip"), admission.place("a"):
            raise ValueError("bad clip")
    admission.check("a")


def test_one_who_floods_does_not_lock_the_others_out() -> None:
    admission = busy(clip_s=0.01)
    with ExitStack() as stack:
        assert "greedy" in fill(admission, ["greedy"] * 200, stack)
        assert fill(admission, ["modest"] * 10, stack) == []


def test_many_callers_with_little_each_fill_the_whole_queue() -> None:
    admission = busy(clip_s=0.01)
    with ExitStack() as stack:
        refused = fill(admission, [f"caller {i}" for i in range(150)], stack)
    assert len(refused) == pytest.approx(50, abs=1)


@pytest.mark.parametrize("flooders", [1, 2, 5])
def test_those_who_flood_together_do_not_lock_the_others_out(flooders: int) -> None:
    admission = busy(clip_s=0.005)
    with ExitStack() as stack:
        fill(admission, [f"greedy {i % flooders}" for i in range(1000)], stack)
        assert fill(admission, ["modest"] * 5, stack) == []


def test_bodies_are_bounded_by_the_bytes_that_have_come() -> None:
    admission, clip = busy(clip_s=1e-6), 20 * 1024**2
    with ExitStack() as stack:
        rooms = [stack.enter_context(admission.room("a")) for _ in range(50)]
        for room in rooms[: int(CONTESTED * MAX_BYTES / clip)]:
            room.hold(clip)
        with pytest.raises(Overloaded, match="try again in 1 s"):
            rooms[-1].hold(clip)
        with admission.room("b") as other:
            other.hold(clip)
    with admission.room("a") as room:
        room.hold(clip)


def test_a_body_larger_than_the_bound_is_read_when_it_is_alone() -> None:
    with busy(clip_s=0.01).room("a") as room:
        room.hold(MAX_BYTES)
        room.hold(MAX_BYTES)
