"""What a backbone is pretrained on: the train rows of several data sets, one class for each thing
that any of them names.

Nothing that a model is examined on may have been heard before: a recording (a Freesound id, where
the data sets share them) that is in the test side of any domain or recipe is left out wherever else
it turns up. What a domain holds out for validation is held out here as well. One that stands in for
another knows no recording at all of the domains that start from that one: models of their folds may
start from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from data.datasets.sources import Example, listed
from data.datasets.split import held_out
from data.domains.domain import (
    AudioDomain,
    Domain,
    checked,
    config_root,
    load_domain,
    load_domains,
    of_sounds,
)
from data.domains.network_specs import AnyAudioNetwork
from data.domains.sections import AnyFeatures, AudioInput, AudioTrainingSpec, Section
from data.domains.yaml_errors import explain
from data.errors import InvalidDomain

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


class Recipe(Section):
    title: str
    stands_in_for: str | None = None  # a backbone, where folds are trained
    data_sets: tuple[str, ...] = Field(min_length=1)  # domains, or recipes of one data set
    licence: str
    input: AudioInput
    features: AnyFeatures
    network: AnyAudioNetwork
    training: AudioTrainingSpec


def load_recipe(name: str) -> Recipe:
    """One of ours by name, or a file of one's own, `.../mine.yaml`."""
    path = _file(name)
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InvalidDomain(f"{path.name}: {explain(error, Recipe)}") from error
    except FileNotFoundError:
        raise InvalidDomain(
            f"there is no recipe {path.name}; name one of {', '.join(_known())}, or a file"
        ) from None
    except yaml.YAMLError as error:
        raise InvalidDomain(f"{path.name} is not valid YAML: {error}") from error


def _file(name: str) -> Path:
    return Path(name) if name.endswith(".yaml") else RECIPES / f"{name}.yaml"


def _known() -> list[str]:
    return sorted(file.stem for file in RECIPES.glob("*.yaml") if "data_sets" in file.read_text())


def data_set(name: str) -> AudioDomain:
    """Raises InvalidParameter for photographs, from which no backbone is pretrained."""
    return of_sounds(any_data_set(name))


def any_data_set(name: str) -> Domain:
    """A domain by name, or one that is not served: a recipe of ours, or a file of one's own."""
    served = config_root() / f"{name}.yaml"
    if served.is_file() or not (file := _file(name)).is_file():
        return load_domains(names=(name,))[name]
    return load_domain(file)


def held_groups(domain: AudioDomain, rows: Sequence[Example]) -> set[str]:
    """The recordings that a domain holds out for validation: a backbone that had learnt them would
    make its confidence look better founded than it is."""
    train = [row for row in rows if row.split == "train"]
    said = {row.group: row.held == "validation" for row in train if row.held}
    held = held_out(train, domain.training, said)
    return {row.group for row, is_held in zip(train, held, strict=True) if is_held}


@dataclass(frozen=True)
class Material:
    """Train rows; how many were left out because an exam, or a domain that must stay unknown, has
    their recording; and the groups that some domain holds out for validation, which are only
    listened to."""

    rows: tuple[Example, ...]
    left_out: int
    held: frozenset[str]


def material(recipe: Recipe, root: Path) -> Material:
    served = [domain for domain in load_domains().values() if isinstance(domain, AudioDomain)]
    by_domain = {domain.name: listed(domain, root) for domain in served}
    by_set = {
        name: by_domain.get(name) or listed(data_set(name), root) for name in recipe.data_sets
    }
    lists = {**by_domain, **by_set}
    unknown = {each.name for each in served if each.start_from == recipe.stands_in_for is not None}
    forbidden = {
        row.group
        for name, rows in lists.items()
        for row in rows
        if row.split == "test" or name in unknown
    }
    held = set().union(*(held_groups(domain, by_domain[domain.name]) for domain in served))
    found: list[Example] = []
    taken: set[str] = set()
    left_out = 0
    for rows in by_set.values():
        train = [row for row in rows if row.split == "train" and row.group not in taken]
        fair = [row for row in train if row.group not in forbidden]
        left_out += len(train) - len(fair)
        taken |= {row.group for row in fair}
        found += fair
    return Material(tuple(found), left_out, frozenset(held & taken))


def as_domain(recipe: Recipe, name: str, classes: tuple[str, ...]) -> AudioDomain:
    """The classes as one big question, in the form that training knows, checked as a whole. What
    only serving reads is that of the first data set."""
    first = data_set(recipe.data_sets[0]).model_dump()
    own = recipe.model_dump(exclude={"data_sets", "licence", "stands_in_for"})
    source = {**first["source"], "licence": recipe.licence}
    raw = {**first, **own, "name": name, "labels": classes, "source": source}
    return of_sounds(checked(raw, f"{name}.yaml"))
