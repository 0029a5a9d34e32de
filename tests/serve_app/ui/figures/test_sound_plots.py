"""sound_plots.py: where the power of a recording lies."""

import numpy as np
import pytest

from serve_app.ui.figures.sound_plots import power_below

RATE_HZ = 8_000


def test_power_lies_below_the_frequencies_that_have_it() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    low, high = np.sin(2 * np.pi * 200 * time_s), 0.5 * np.sin(2 * np.pi * 3_000 * time_s)
    wave = (low + high + 0.25).astype(np.float32)  # a constant is no power that is heard
    assert power_below(wave, RATE_HZ, (0.5, 0.9)) == pytest.approx((200, 3_000))


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_of_digital_silence_no_power_is_told(level: float) -> None:
    assert power_below(np.full(RATE_HZ, level, np.float32), RATE_HZ, (0.5, 0.9)) == ()
