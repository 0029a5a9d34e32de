"""Steps in the load, and the scenarios that have a name."""

import pytest

from data.errors import InvalidParameter
from loadtest.scaling.presets import Step, parse_steps, presets


def test_steps_are_users_times_seconds() -> None:
    assert parse_steps("2x10, 24x30@4,2x60") == (
        Step(2, 10, spawn_rate=2),
        Step(24, 30, spawn_rate=4),
        Step(2, 60, spawn_rate=24),
    )


@pytest.mark.parametrize("text", ["", "20", "20x", "0x30", "20x0", "20x30@0", "20x30;5x5", "-2x3"])
def test_what_is_no_step_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(InvalidParameter, match="USERSxSECONDS"):
        parse_steps(text)


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_preset_can_be_run_and_names_the_source_of_each_figure(name: str) -> None:
    preset = presets()[name]
    assert parse_steps(preset.steps)
    assert bool(preset.claims) == ("github.com/" in preset.source)
    assert preset.note or not preset.claims, "say what of the claims can be compared"
