"""ask_examples.py: every domain has clips to try that it takes, of its own kind."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from data.domains.domain import AudioDomain, load_domains
from data.domains.sections import ExampleSound
from data.media.audio.recording import decode
from serve_app.client.answers import DomainInfo
from serve_app.http.answers.answer_bodies import domain_info
from serve_app.ui.places.ask.ask_examples import SHOWN, examples_of
from serve_app.ui.places.ask.made_sounds import SOUNDS

DOMAINS = load_domains()
QUIETEST_DBFS = -55  # 20 above what the shipped domains take for silence
HEARD = [domain for domain in DOMAINS.values() if isinstance(domain, AudioDomain)]


@pytest.mark.parametrize("domain", HEARD, ids=lambda domain: domain.name)
def test_what_is_made_for_a_domain_is_loud_and_short_enough_for_it(
    domain: AudioDomain, tmp_path: Path
) -> None:
    for path in examples_of(domain_info(domain, ""), None, tmp_path):
        heard = decode(path.read_bytes(), sample_rate_hz=16_000, limits=domain.limits).samples
        level_dbfs = 20 * np.log10(np.sqrt(np.mean(np.square(heard))))
        assert level_dbfs > QUIETEST_DBFS, path.name
        assert np.abs(heard).max() <= 1


def test_a_domain_has_the_sounds_that_its_file_names_and_else_neutral_ones(tmp_path: Path) -> None:
    domain = domain_info(HEARD[0].model_copy(update={"examples": ("murmur", "bang")}), "")
    domain = domain.model_copy(update={"name": "bridges"})
    made = [path.stem for path in examples_of(domain, None, tmp_path)]
    assert made == ["a murmur between beats", "a bang"]
    for unknown in ((), ("whale",)):  # of an older service, and of a newer one
        other = domain.model_copy(update={"examples": unknown})
        made = [path.stem for path in examples_of(other, None, tmp_path)]
        assert made == ["a hum", "knocking", "a hiss"]


def test_every_sound_that_a_file_may_name_can_be_made_and_none_names_a_label() -> None:
    assert set(SOUNDS) == set(get_args(ExampleSound))
    labels = {label for domain in DOMAINS.values() for label in domain.labels}
    shown = {word for title, _ in SOUNDS.values() for word in title.split()}
    assert not labels & shown


def test_clips_of_a_folder_stand_in_place_of_what_is_made(tmp_path: Path) -> None:
    domain: DomainInfo = domain_info(HEARD[0], "")
    for number in range(5):
        path = tmp_path / "own" / domain.name / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = examples_of(domain, tmp_path / "own", tmp_path / "made")
    assert [path.name for path in found] == ["0.wav", "1.wav", "2.wav"]
    assert len(found) == SHOWN
