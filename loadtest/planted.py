"""Are events found: test clips planted in noise, found again by label and place.

    telltale planted [--domain faults] [--snr 20 10 0] [--noise white]

Each clip of the exam that is not of the domain's rest label stands once in a recording of noise,
some seconds apart, at a ratio of its power to that of the noise. An event is right if it has the
clip's label and overlaps it by half (intersection over union).
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len
from threadpoolctl import threadpool_limits

from data.arrays import Floats
from data.datasets.backgrounds import falling
from data.datasets.sources import examples
from data.domains.domain import AudioDomain, load_domains, of_sounds
from data.media.audio.recording import decode, encoded
from loadtest import command
from models.analysis.sliding_windows import Wishes
from models.analysis.sound_events import Event
from models.bundle import PRETRAINED, load_bundle
from models.runtime import OnnxModel
from serve_app.analyze_command import events_of
from training.job.isolated import needed_dataset_root

OVERLAP = 0.5
LEVEL = 0.02  # of the noise, RMS; full scale is 1
APART_S = (8.0, 20.0)
NOISES = {"white": 0.0, "pink": 1.0}  # the power of 1/f by which its power falls


@dataclass(frozen=True)
class Planted:
    label: str
    start_s: float
    end_s: float


Clips = list[tuple[str, Floats]]  # label and waveform [n] of each
Laid = tuple[Floats, list[Planted]]  # a recording [n], and what is where in it


def exam_clips(domain: AudioDomain) -> Clips:
    """Those that are not rest; raises InvalidParameter without data."""
    rate_hz, limits = domain.input.sample_rate_hz, domain.limits
    return [
        (row.label, decode(row.path.read_bytes(), sample_rate_hz=rate_hz, limits=limits).samples)
        for row in examples(domain, needed_dataset_root())
        if row.split == "test" and row.label != domain.rest_label
    ]


def laid(clips: Clips, gaps_s: Sequence[float], rate_hz: int) -> Laid:
    """With silence before each and behind the last."""
    parts, planted, at_s = [], [], 0.0
    for (label, samples), gap_s in zip(clips, gaps_s, strict=False):
        parts += [np.zeros(round(gap_s * rate_hz), np.float32), samples]
        start_s, at_s = at_s + gap_s, at_s + gap_s + len(samples) / rate_hz
        planted.append(Planted(label, start_s, at_s))
    return np.concatenate([*parts, np.zeros(round(gaps_s[-1] * rate_hz), np.float32)]), planted


def plant(clips: Clips, rate_hz: int, snr_db: float, kind: str, seed: int) -> Laid:
    rng = np.random.default_rng(seed)
    order, gaps_s = rng.permutation(len(clips)), rng.uniform(*APART_S, len(clips) + 1)
    loudness = LEVEL * 10 ** (snr_db / 20)
    loud = [(label, loudness / max(x.std(), 1e-9) * x) for label, x in (clips[i] for i in order)]
    sound, planted = laid(loud, gaps_s.tolist(), rate_hz)
    size = next_fast_len(len(sound), real=True)  # a prime takes half a minute
    noise = falling(size, NOISES[kind], rng)[: len(sound)]
    return sound + np.float32(LEVEL) * noise, planted


def heard_events(recording: Floats, model: OnnxModel, domain: AudioDomain) -> list[Event]:
    with tempfile.TemporaryFile() as file:  # recordings are read from the disk
        file.write(encoded(recording, domain.input.sample_rate_hz, "WAV", "FLOAT"))
        file.flush()
        return events_of(file, model, domain, Wishes(), lambda done: None)[1]


def right(events: Sequence[Event], planted: Sequence[Planted]) -> int:
    """How many planted clips were found; they stand apart, so that no event finds two."""
    return sum(any(overlap(event, clip) >= OVERLAP for event in events) for clip in planted)


def overlap(event: Event, clip: Planted) -> float:
    """Intersection over union; 0 of different labels."""
    both = min(event.end_s, clip.end_s) - max(event.start_s, clip.start_s)
    either = max(event.end_s, clip.end_s) - min(event.start_s, clip.start_s)
    return max(0.0, both / either) if event.label == clip.label else 0.0


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("planted", __doc__)
    parser.add_argument("--domain", default="faults")
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 10.0, 0.0], metavar="DB")
    parser.add_argument("--noise", choices=NOISES, default="white")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(words)


def print_figures(arguments: command.Arguments) -> None:
    domain = of_sounds(load_domains(names=(arguments.domain,))[arguments.domain])
    model = OnnxModel(load_bundle(PRETRAINED / domain.name))
    clips, rate_hz = exam_clips(domain), domain.input.sample_rate_hz
    print("SNR dB  planted  events  right    F1  CPU s/h")
    for snr_db in arguments.snr:
        recording, planted = plant(clips, rate_hz, snr_db, arguments.noise, arguments.seed)
        started = time.process_time()
        with threadpool_limits(1):
            events = heard_events(recording, model, domain)
        spent_s = (time.process_time() - started) * 3600 * rate_hz / len(recording)
        count, number = right(events, planted), len(planted)
        f1 = 2 * count / (len(events) + number)
        row = f"{snr_db:6g}{number:9}{len(events):8}{count:7}{f1:6.2f}{spent_s:9.1f}"
        print(row, flush=True)


if __name__ == "__main__":
    raise SystemExit(command.exit_code(print_figures, parsed()))
