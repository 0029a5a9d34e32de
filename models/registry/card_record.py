"""What MLflow is told of a bundle whatever its run was: parameters, figures and a sentence."""

from collections.abc import Mapping
from typing import Any

from models.bundle import Bundle

LONGEST = 500  # characters that MLflow takes of a parameter


def parameters(bundle: Bundle) -> dict[str, str]:
    """The sections of the domain that shape what is learnt; flat, as MLflow wants them."""
    card = bundle.card
    sections = card.domain.model_dump(include={"features", "network", "training", "teach"})
    flat = _flatten(sections, "")
    flat |= {"snapshot": card.snapshot, "parent": card.parent or ""}
    flat |= {f"clips.{side}": count for side, count in card.split.model_dump().items()}
    return {name: str(value)[:LONGEST] for name, value in flat.items()}


def figures(bundle: Bundle) -> dict[str, float]:
    exam, masks = bundle.card.metrics.exam, bundle.card.metrics.masks
    return {
        "exam_accuracy": exam.accuracy,
        "exam_macro_f1": exam.macro_f1,
        "exam_calibration_error": exam.ece,
        **{f"exam_f1_{name}": each.f1 for name, each in exam.per_class.items()},
        **({"exam_dice": masks.dice.value, "exam_iou": masks.iou.value} if masks else {}),
    }


def description(bundle: Bundle) -> str:
    """For people who find the version in MLflow's own page."""
    card, exam = bundle.card, bundle.card.metrics.exam
    how = "trained anew" if card.mode == "full" else "taught by corrections"
    return (
        f"{card.domain.title}, {how}: macro-F1 {exam.macro_f1:.3f}, accuracy {exam.accuracy:.3f} "
        f"on the {card.split.exam:,} clips of its exam. Labels: {', '.join(card.labels)}. "
        f"Data: {card.licence}"
    )


def _flatten(section: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
