"""What a card says of the sounds that a bundle remembers and no label is for."""

from collections.abc import Sequence

from data.datasets.backgrounds import KINDS
from data.domains.domain import AudioDomain, Domain, of_sounds
from data.errors import TelltaleError
from models.card import Card, OtherSounds
from training.fitting.backbone_recipe import any_data_set

MADE_OF_EACH_KIND = 40  # backgrounds of a kind


def bank_facts(domain: Domain, embeddings: int, without: Sequence[str] = ()) -> OtherSounds | None:
    """What a card says of a bank of so many embeddings: how many are of clips, which data sets
    those are from, and under which licence; `without` are data sets that were not there. None
    without a bank."""
    if not embeddings or not isinstance(domain, AudioDomain):
        return None
    clips = max(0, embeddings - MADE_OF_EACH_KIND * len(KINDS))
    names = [name for name in domain.other_sounds if clips and name not in without]
    licences = {name: _licence(name) for name in names}
    return OtherSounds(made=embeddings - clips, clips=clips, licences=licences)


def without_sets(card: Card) -> tuple[str, ...]:
    """What a verdict says of a full training that lacked data sets of `other_sounds`."""
    bank = card.training.other_sounds
    if card.mode != "full" or bank is None:
        return ()
    names = [name for name in of_sounds(card.domain).other_sounds if name not in bank.licences]
    if not names:
        return ()
    return (
        f"it remembers no clip of {', '.join(names)} (other_sounds), which was not on this "
        "machine: sounds that no label is for are called unknown less often until it is fetched "
        "and a full training has run",
    )


def _licence(name: str) -> str:
    try:
        return any_data_set(name).source.licence
    except TelltaleError:  # a domain of one's own, whose file is not here
        return "licence not known here"
