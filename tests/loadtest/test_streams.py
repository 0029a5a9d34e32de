"""streams.py: what is told of joined clips is counted as right once, else as false."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from loadtest import command, streams
from loadtest.planted import Planted
from loadtest.streams import heard, joined
from serve_app.client.analysis_answers import StreamEvent


class Told:
    """A client whose service tells these labels once all has been sent."""

    def __init__(self, *labels: str) -> None:
        self._labels = labels

    def stream(self, domain: str, blocks: Iterator[bytes], rate_hz: int) -> Iterator[StreamEvent]:
        assert sum(map(len, blocks)) == 1_600
        for label in self._labels:
            yield StreamEvent(
                label=label, start_s=0, end_s=0.1, confidence=1, peak_s=0.05, ended=False
            )


def test_joined_clips_are_where_they_are_said_to_be() -> None:
    sound, planted = joined([("one", np.full(800, 0.5, np.float32))], 8_000, 3.0, seed=1)
    for clip in planted:
        part = sound[round(clip.start_s * 8_000) : round(clip.end_s * 8_000)]
        assert part.mean() == pytest.approx(0.5, abs=0.01)
    assert planted[-1].end_s + 2 == pytest.approx(len(sound) / 8_000, abs=0.01)


def test_a_clip_is_told_once_and_the_rest_is_false() -> None:
    client: Any = Told("one", "one", "two")
    recording = np.zeros(800, np.float32), [Planted("one", 0, 0.05)]
    (delay_s,), counts = heard(client, "keywords", recording, 8_000)
    assert delay_s > 0
    assert (counts["clips"], counts["false"]) == (1, 2)


@pytest.mark.usefixtures("datasets")
def test_a_service_that_is_away_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--url", "http://127.0.0.1:9", "--streams", "1", "--seconds", "2"]
    assert command.exit_code(streams.print_figures, streams.parsed(words)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not answer" in line
