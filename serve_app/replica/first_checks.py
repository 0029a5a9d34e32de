"""What is found out about a clip that somebody sends to be learnt from, before it is kept.

None of it is worked out for a prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.domains.domain import AudioDomain, Domain, ImageDomain
from serve_app.replica.champion import LoadedVersion

if TYPE_CHECKING:
    from data.quality.clip_checks import Remark
    from data.store.review.flags import Found
    from models.runtime import Scores

FLAGGED = ("silent", "clipped")


@dataclass(frozen=True)
class FirstChecks:
    """`of_exam`: a copy of a clip of the exam, whatever its codec, level or size."""

    of_exam: bool
    remarks: "tuple[Remark, ...]"

    def flags(self, sha256: str, *, label_stands: bool = True) -> "list[Found]":
        """Where the clip is kept with another label than the one that was checked, what is said
        against that one is not said of the clip."""
        return [
            one.flag(sha256) for one in self.remarks if label_stands or one.kind != "label_conflict"
        ]


def check_clip(raw: bytes, domain: Domain, served: LoadedVersion | None) -> FirstChecks:
    """Raises a ClipError where there is nothing to be heard."""
    from data.quality.fingerprints import is_copy

    fingerprint, remarks = FOUND[domain.modality](raw, domain)
    exam = served.exam_fingerprints if served else None
    of_exam = exam is not None and is_copy(fingerprint, exam, domain)
    return FirstChecks(of_exam, remarks)


def check_labelled(
    raw: bytes, domain: Domain, served: LoadedVersion, scores: "Scores", label: str
) -> FirstChecks:
    """With what the model, if it is sure of another label, has to say."""
    from data.quality.clip_checks import contradiction

    checks = check_clip(raw, domain, served)
    answer = served.bundle.labels[scores.best]
    against = contradiction(scores.asserted, answer, scores.confidence, label)
    return FirstChecks(checks.of_exam, checks.remarks + ((against,) if against else ()))


def _of_sound(raw: bytes, domain: AudioDomain) -> "tuple[bytes, tuple[Remark, ...]]":
    from data.quality.clip_checks import check_sound

    heard = check_sound(raw, domain)
    return heard.fingerprint, tuple(one for one in heard.remarks if one.kind in FLAGGED)


def _of_photograph(raw: bytes, domain: ImageDomain) -> "tuple[bytes, tuple[Remark, ...]]":
    from data.quality.photo_copies import fingerprint

    return fingerprint(raw, domain), ()


# Each is given the domains of its own modality only, which their type cannot say.
FOUND: "dict[str, Callable[[bytes, Any], tuple[bytes, tuple[Remark, ...]]]]" = {
    "audio": _of_sound,
    "image": _of_photograph,
}
