"""What a card says of the sounds that a bundle remembers and no label is for."""

from collections.abc import Sequence

from data.datasets.backgrounds import KINDS
from data.domains.domain import AudioDomain, Domain
from data.errors import TelltaleError
from models.card import OtherSounds
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


def _licence(name: str) -> str:
    try:
        return any_data_set(name).source.licence
    except TelltaleError:  # a domain of one's own, whose file is not here
        return "licence not known here"
