"""What is wrong in a file, in words: the key as it is written there, and what would be right."""

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from data.domains.network_specs import AUDIO_NETWORKS
from data.domains.sections import FEATURES, Section

# The sections that a recording's file has of several kinds; pydantic names the kind it took one for
# among the keys, where nobody has written it.
CHOICES: dict[str, dict[str, type[Section]]] = {"features": FEATURES, "network": AUDIO_NETWORKS}
KINDS = FEATURES | AUDIO_NETWORKS


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """`model` is what the file was read as."""
    mistakes = ((item["loc"], item["type"], item["msg"]) for item in error.errors())
    return "; ".join(_explain_one(*mistake, model) for mistake in mistakes)


def _explain_one(path: Sequence[int | str], kind: str, message: str, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in path if part not in KINDS)
    if kind.startswith("union_tag"):
        return f"key '{key}.kind' must be one of {', '.join(CHOICES[key])}"
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; accepted here: {', '.join(_accepted(model, path))}"
    if kind == "missing":
        return f"key {key!r} is missing"
    text = message.removeprefix("Value error, ")
    return f"key {key!r}: {text}" if key else text


def _accepted(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    for part in path[:-1]:
        annotation = KINDS.get(str(part)) or model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return sorted(set(model.model_fields) - {"name"})
