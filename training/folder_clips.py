"""What clips in a folder are like: their rates and durations, from the recordings themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.datasets.listing import list_in
from data.datasets.tabular import read_rows
from data.domains.sections import LimitSpec
from data.errors import ClipError, InvalidParameter
from data.media.audio.recording import decode
from data.media.sniff import sniff_image
from data.progress import progress

USUAL = 0.9  # of the clips
LOWEST_HZ = 4_000
# Of clips on one's own disk; what is served has narrower ones.
LIMITS = LimitSpec(max_bytes=500_000_000, max_duration_s=3_600)
NAMED = 5


@dataclass(frozen=True)
class Measured:
    """Nine in ten clips have at least the usual rate, and at most the usual duration."""

    usual_rate_hz: int
    usual_duration_s: float
    longest_s: float
    most_bytes: int


def has_masks(folder: Path) -> bool:
    """Whether it is a data set of photographs: a list with the column `mask`."""
    file = list_in(folder)
    return file is not None and any("mask" in row for _, row in read_rows(file))


def measured(files: Sequence[Path]) -> Measured:
    """Raises InvalidParameter naming what is no recording; photographs in other words."""
    rates, durations, unread = [], [], []
    with progress("measuring", len(files)) as advance:
        for file in files:
            try:
                heard = decode(file.read_bytes(), sample_rate_hz=LOWEST_HZ, limits=LIMITS)
                rates.append(heard.source_rate_hz)
                durations.append(heard.duration_s)
            except ClipError as error:
                unread.append((file, error))
            advance(1)
    if unread:
        raise InvalidParameter(_refusal(unread, len(files)))
    low, high = math.floor((1 - USUAL) * len(rates)), math.ceil(USUAL * len(rates)) - 1
    usual_s = math.ceil(10 * sorted(durations)[high]) / 10
    return Measured(
        max(sorted(rates)[low], LOWEST_HZ),
        usual_s,
        math.ceil(max(durations)),
        max(file.stat().st_size for file in files),
    )


def _refusal(unread: Sequence[tuple[Path, ClipError]], count: int) -> str:
    if photographs := sum(_is_photograph(file) for file, _ in unread):
        return (
            f"{photographs} of {count} files are photographs, and there is no list of masks. Where "
            "in a photograph something is can be learnt, as the shipped domain cracks does: from "
            "a manifest.csv in the folder with path,mask,group,split. Photographs are not sorted "
            "by labels"
        )
    lines = [f"  {file.parent.name}/{file.name}: {error}" for file, error in unread[:NAMED]]
    more = [f"  and {len(unread) - NAMED} more"] if len(unread) > NAMED else []
    told = "\n".join([*lines, *more])
    return f"{len(unread)} of {count} files cannot be learnt from; move them away:\n{told}"


def _is_photograph(file: Path) -> bool:
    try:
        sniff_image(file.read_bytes())
    except ClipError:
        return False
    return True
