"""Every shipped model card tells how the clips of every other data set are taken."""

from pathlib import Path

import pytest

from models.bundle import PRETRAINED, load_bundle
from training.assess.card.model_card import CARDS
from training.assess.reliability import foreign_clips

SHIPPED = sorted(folder.name for folder in PRETRAINED.iterdir() if folder.is_dir())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_has_a_row_for_every_other_data_set(name: str, datasets: Path) -> None:
    bundle = load_bundle(PRETRAINED / name)
    if bundle.card.novelty is None:
        pytest.skip("nothing is unknown where photographs are segmented")
    written = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    _, unknown = written.split("## Unknown, and asserted")
    for dataset, rows in foreign_clips(bundle.domain, datasets).items():
        assert f"| {dataset} ({len(rows)} clips) |" in unknown, (
            f"the card of {name} lacks {dataset}; write it anew: "
            f"TELLTALE_DATASETS={datasets} python -m training.evaluate {name} --output models/cards"
        )
