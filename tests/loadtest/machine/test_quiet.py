"""A busy machine gives no figures, and the reason is said with the figure."""

import pytest

from loadtest.machine.usage import judged, meanwhile


@pytest.mark.parametrize(
    ("busy", "stolen", "load", "words"),
    [
        (0.02, 0.0, 0.3, ""),
        (0.9, 0.0, 0.3, "use 0.90 of a core"),
        (0.02, 0.5, 0.3, "takes 0.50 of a core"),
        (0.02, 0.0, 3.1, "load average is 3.10"),
    ],
)
def test_the_machine_is_judged_by_the_moment_and_the_minute(
    busy: float, stolen: float, load: float, words: str
) -> None:
    found = judged(busy, stolen, load, cores=2)
    assert words in found
    assert bool(found) == bool(words)


def test_others_at_work_while_measuring_mark_the_result() -> None:
    assert meanwhile(0.05) == ""
    assert "0.40 of a core" in meanwhile(0.4)
