"""What is wrong with a mask, by its photograph: it follows nothing there, or fills whole regions.

What is marked differs from what lies around it: it is darker, or lighter, and has edges. How often
one of its pixels is darker than one beside it is 0.5 where that is chance. Of the 328 right masks
of CrackForest and DeepCrack the least told apart is at 0.53, and has edges as strong as the others;
of three wrong ones (another photograph's, and two that are filled) the first is at 0.48 without
edges, the others at 0.58 and 0.66. Wide cracks, that lie as deep in their masks, are above 0.97.
All three are found by this, and none of the others is taken for wrong. Of 110 right masks, each
laid upon another photograph of its source, 90 are told to be wrong.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Mask
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import ImageDomain
from data.errors import UndecodableClip
from data.quality.clip_checks import CheckedClip, MaskSummary, Remark
from data.quality.photo_copies import fingerprint

AROUND = 0.02  # of the longer side: what lies beside a mask, and from where on a pixel lies deep
GAP_PX = 2  # between them: a mask drawn by hand is off by as much
BY_CHANCE = 0.05  # from 0.5, of how often what is marked is darker
FLAT = 1.15  # edges under the mask, by those around it
DEEP = 0.25  # of a mask's pixels; more of them make a region
SEPARATION = 0.3  # from 0.5, by what a region differs from what lies around it


@dataclass(frozen=True)
class MaskContrast:
    """`darker` is the share of pairs of pixels, marked and beside it, of which the first is darker;
    `edge` how many times as strong edges are; `deep` the share of the mask that lies deep in it."""

    darker: float
    edge: float
    deep: float

    @property
    def separation(self) -> float:
        return abs(self.darker - 0.5)


def check_mask(clip: LabelledClip, read: Reader, domain: ImageDomain) -> CheckedClip:
    """Raises a ClipError where there is nothing to be seen, or its mask does not fit."""
    from data.datasets.photographs import read_mask  # Pillow, which a replica does without
    from data.media.image import photograph

    raw = read(clip)
    size = domain.input.max_side_px, domain.network.stride_px
    mask, pixels = (
        read_mask(clip, read, domain),
        photograph.decode(raw, *size, domain.limits).pixels,
    )
    if mask is None or not mask.any():
        return CheckedClip((), fingerprint(raw, domain))
    if mask.shape != pixels.shape[:2]:
        raise UndecodableClip("its mask is of another size than the photograph")
    seen = mask_contrast(pixels.mean(axis=2, dtype=np.float32), mask)
    remarks = tuple(filter(None, [wrong_place(seen), filled(seen)]))
    digest = hashlib.sha256(np.packbits(mask).tobytes() + bytes(str(mask.shape), "ascii"))
    known_by = MaskSummary(digest.hexdigest(), seen.separation)
    return CheckedClip(remarks, fingerprint(raw, domain), known_by)


def mask_contrast(grey: Floats, mask: Mask) -> MaskContrast:
    """A photograph [H, W] and its mask, in which something is marked and something is not."""
    from scipy import ndimage  # a third of a second

    near = AROUND * max(mask.shape)
    outside = ndimage.distance_transform_edt(~mask)
    beside = (outside > GAP_PX) & (outside <= GAP_PX + near)
    if not beside.any():  # all of it is marked, or nearly
        return MaskContrast(darker=0.5, edge=1.0, deep=1.0)
    smooth = ndimage.gaussian_filter(grey, 1)
    edges = np.hypot(*np.gradient(ndimage.gaussian_filter(grey, 1.5)))
    lighter = np.searchsorted(np.sort(smooth[beside]), smooth[mask], side="right")
    return MaskContrast(
        1 - float(lighter.mean()) / int(beside.sum()),
        float(edges[mask].mean() / max(1e-6, edges[beside].mean())),
        float((ndimage.distance_transform_edt(mask)[mask] > near).mean()),
    )


def wrong_place(seen: MaskContrast) -> Remark | None:
    if seen.separation >= BY_CHANCE or seen.edge >= FLAT:
        return None
    return Remark("mask", "its mask follows nothing in the photograph", 1 - seen.separation)


def filled(seen: MaskContrast) -> Remark | None:
    if seen.deep <= DEEP or seen.separation >= SEPARATION:
        return None
    reason = (
        f"its mask fills regions ({seen.deep:.0%} lies deep in it) that are like what is around"
    )
    return Remark("mask", reason, seen.deep)


def shared(seen: Sequence[tuple[LabelledClip, CheckedClip]]) -> list[tuple[LabelledClip, Remark]]:
    """Of photographs of several groups that have one mask, all but that which it follows best."""
    owners: dict[str, list[tuple[float, LabelledClip]]] = {}
    for clip, heard in seen:
        if heard.mask:
            owners.setdefault(heard.mask.digest, []).append((heard.mask.separation, clip))
    found = []
    for known in owners.values():
        _, owner = max(known, key=lambda each: each[0])
        others = (clip for _, clip in known if clip.group != owner.group)
        reason = f"its mask is that of {owner.name}, which it follows better"
        found += [(clip, Remark("mask", reason, 1.0)) for clip in others]
    return found
