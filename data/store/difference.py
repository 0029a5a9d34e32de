"""What differs between two lists of clips: came, went, or is called otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass

from data.store.clips import Clip


@dataclass(frozen=True)
class Difference:
    added: tuple[Clip, ...]
    removed: tuple[Clip, ...]
    relabelled: tuple[tuple[Clip, Clip], ...]  # before and after

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(clips) for name, clips in vars(self).items()}

    @property
    def turned_round(self) -> "Difference":
        """What takes the second list back to the first."""
        back = tuple((after, before) for before, after in self.relabelled)
        return Difference(added=self.removed, removed=self.added, relabelled=back)


def difference(before: Iterable[Clip], after: Iterable[Clip]) -> Difference:
    """Each in the order of its list."""
    old = {clip.sha256: clip for clip in before}
    new = {clip.sha256: clip for clip in after}
    return Difference(
        added=tuple(clip for sha256, clip in new.items() if sha256 not in old),
        removed=tuple(clip for sha256, clip in old.items() if sha256 not in new),
        relabelled=tuple(
            (old[sha256], clip)
            for sha256, clip in new.items()
            if sha256 in old and old[sha256].label != clip.label
        ),
    )
