"""What the numbers of a domain's data and model say, in one sentence each."""

from collections.abc import Mapping, Sequence

import numpy as np

from data.arrays import Doubles
from models.card import OutOfFold
from models.metrics import Metrics

DB = 10 / np.log(10)  # of a natural logarithm of power


def of_kept(by_label: Mapping[str, int]) -> str:
    if not by_label:
        return "No clips are kept yet."
    order = sorted(by_label, key=lambda label: -by_label[label])
    most, fewest = order[0], order[-1]
    said = f"{_clips(sum(by_label.values()))} kept"
    if len(order) == 1:
        return f"{said}, all of {_named(most)}."
    ends = f"{_named(most)} ({by_label[most]}), fewest of {_named(fewest)} ({by_label[fewest]})"
    return f"{said}: most of {ends}."


def of_waiting(by_label: Mapping[str, int]) -> str:
    if not by_label:
        return "No clip waits for training."
    each = ", ".join(f"{number} of {label}" for label, number in by_label.items())
    return f"{_clips(sum(by_label.values()))} waiting for training: {each}."


def of_exam(exam: Metrics) -> str:
    """The weakest label, and what is answered instead."""
    labels = list(exam.per_class)
    place = min(range(len(labels)), key=lambda i: exam.per_class[labels[i]].f1)
    wrong = [0 if i == place else count for i, count in enumerate(exam.confusion[place])]
    said = f"Weakest is {labels[place]} (F1 {exam.per_class[labels[place]].f1:.2f})"
    if not any(wrong):
        return f"{said}."
    other = int(np.argmax(wrong))
    of = exam.per_class[labels[place]].support
    return f"{said}: {wrong[other]} of {of} are answered as {labels[other]}."


def of_folds(found: OutOfFold) -> str:
    told = (
        f"{found.folds} models, each asked about a part that it had not learnt of {found.clips} "
        f"clips in {found.groups} groups: macro-F1 {found.macro_f1.value:.3f} "
        f"({found.macro_f1.low:.3f} to {found.macro_f1.high:.3f}), "
        f"{found.each_group_once.macro_f1:.3f} where each group counts once"
    )
    sure, right = found.asserted, found.asserted_right
    if sure is None or right is None:
        return f"{told}."
    return f"{told}; {sure.value:.0%} of the answers are asserted, {right.value:.0%} of them right."


def of_features(log_mel: Mapping[str, Sequence[float]], mel_hz: Doubles) -> dict[str, str]:
    """Where each label's mean frame is most above, and most below, that of the others."""
    frames = np.array(list(log_mel.values()), np.float64)
    if len(frames) < 2:
        return {}
    others = (frames.sum(axis=0) - frames) / (len(frames) - 1)
    found = {}
    for label, above in zip(log_mel, (frames - others) * DB, strict=True):
        high, low = int(above.argmax()), int(above.argmin())
        found[label] = (
            f"Beside the other labels {label} is strongest near {mel_hz[high]:,.0f} Hz "
            f"({above[high]:+.1f} dB), weakest near {mel_hz[low]:,.0f} Hz ({above[low]:+.1f} dB)."
        )
    return found


def _clips(number: int) -> str:
    return f"{number:,} clip is" if number == 1 else f"{number:,} clips are"


def _named(label: str) -> str:
    return label or "no label yet"
