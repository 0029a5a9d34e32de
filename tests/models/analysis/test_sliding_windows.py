"""sliding_windows.py: a long recording is answered window by window as its clips would be."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data.domains.domain import AudioDomain, load_domains, of_sounds
from data.errors import InvalidParameter, UnknownName
from data.media.audio.recording_stream import open_recording
from data.media.prepare import Prepared, features_of_sound
from models.analysis.sliding_windows import Analysis, Wishes, planned, wishes_from
from models.runtime import Model, OnnxModel, Scores
from support.inputs.sounds import bursts, wav
from support.tiny import tiny_bundle


@pytest.fixture
def domain() -> AudioDomain:
    return of_sounds(load_domains(names=("faults",))["faults"])


@pytest.fixture
def model(tmp_path: Path, domain: AudioDomain) -> Model:
    asserted = {"electrical": 0.7, "fluid": None, "mechanical": 0.9, "normal": 0.6}
    return OnnxModel(tiny_bundle(tmp_path / "tiny", domain, assert_at=asserted))


def test_each_window_is_answered_as_a_clip_of_it(
    model: Model, domain: AudioDomain, tmp_path: Path
) -> None:
    samples = bursts(1, seconds=21.0, rate_hz=16_000)
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(samples))
    with path.open("rb") as file, open_recording(file, domain.limits, 16_000) as stream:
        analysis = Analysis(model, stream, hop_s=1.0)
        while analysis.step():
            pass
    heard = analysis.heard()
    assert (heard.duration_s, list(heard.starts_s)) == (21.0, [float(s) for s in range(17)])
    clip, _ = features_of_sound(samples[7 * 16_000 : 12 * 16_000], domain)
    right = model.predict([clip])[0]
    np.testing.assert_allclose(heard.probabilities[7], right.probabilities, atol=1e-3)
    assert analysis.done == 1.0


def test_an_analysis_goes_on_where_another_was_stopped(
    model: Model, domain: AudioDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(bursts(1, seconds=30.5, rate_hz=16_000)))

    def heard(known: bytes | None, steps: int) -> Analysis:
        with path.open("rb") as file, open_recording(file, domain.limits, 16_000) as stream:
            analysis = Analysis(model, stream, 1.0, known)
            for _ in range(steps):
                analysis.step()
        return analysis

    whole, part = heard(None, 99).heard(), heard(None, 2)
    asked, answer = [], model.answer

    def counted(rows: Sequence[Prepared]) -> list[Scores]:
        asked.append(len(rows))
        return answer(rows)

    monkeypatch.setattr(model, "answer", counted)
    rest = heard(part.kept(), 99).heard()
    np.testing.assert_array_equal(rest.starts_s, whole.starts_s)
    np.testing.assert_array_equal(rest.probabilities, whole.probabilities)
    np.testing.assert_array_equal(rest.unknown, whole.unknown)
    assert rest.duration_s == 30.5
    assert sum(asked) == len(whole.starts_s) - len(part.heard().starts_s)


def test_labels_are_events_from_where_the_card_asserts_them(
    model: Model, domain: AudioDomain
) -> None:
    hop_s, rules = planned(model, domain, Wishes())
    assert hop_s == 1.0
    right = {"electrical": 0.85 * 0.7, "fluid": 0.85 * 0.5, "mechanical": 0.85 * 0.9}
    assert rules.enter == pytest.approx(right)
    assert (rules.min_length_s, rules.sure_s, rules.merge_gap_s) == (2.5, 2.5, 1.0)
    assert rules.top_n is None


def test_what_somebody_wishes_comes_before_what_the_card_says(
    model: Model, domain: AudioDomain
) -> None:
    said = {"threshold": ["normal:0.8", "fluid:0.4"], "hop_s": ["2"], "top_n": ["3"]}
    hop_s, rules = planned(model, domain, wishes_from(said))
    assert (hop_s, rules.top_n) == (2.0, 3)
    right = {"electrical": 0.85 * 0.7, "fluid": 0.4, "mechanical": 0.85 * 0.9, "normal": 0.8}
    assert rules.enter == pytest.approx(right)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"hop": ["1"]}, "no parameter 'hop'; there are hop_s"),
        ({"hop_s": ["soon"]}, "hop_s must be a number, got 'soon'"),
        ({"hop_s": ["9"]}, "hop_s must be from 0.25 to 5"),
        ({"hop_s": ["nan"]}, "hop_s must be from"),
        ({"min_length_s": ["-1"]}, "min_length_s must be a number of seconds from 0 on"),
        ({"top_n": ["1.5"]}, "top_n must be a whole number"),
        ({"threshold": ["fluid"]}, "label:probability"),
        ({"threshold": ["fluid:2"]}, "threshold of fluid must lie above 0"),
    ],
)
def test_a_wrong_wish_is_named(
    model: Model, domain: AudioDomain, said: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        planned(model, domain, wishes_from(said))


def test_a_threshold_of_no_label_is_refused(model: Model, domain: AudioDomain) -> None:
    with pytest.raises(UnknownName, match="no label 'bird'"):
        planned(model, domain, wishes_from({"threshold": ["bird:0.5"]}))
