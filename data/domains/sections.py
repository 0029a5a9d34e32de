"""The sections of a domain file, each with what it may say.

Those of recordings and of photographs stand beside each other; `domain.py` puts
them together.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# Sounds that the page makes for whoever has no clip at hand.
ExampleSound = Literal[
    "hum",
    "knocking",
    "hiss",
    "heartbeat",
    "murmur",
    "word",
    "other_word",
    "chirping",
    "bang",
    "engine",
]


class AudioInput(Section):
    sample_rate_hz: int = Field(ge=4_000, le=96_000)
    window_s: float = Field(gt=0.1, le=60)
    hop_s: float = Field(gt=0.0)
    loudness_dbfs: Annotated[float, Field(ge=-60, le=0)] | None = None  # None: as recorded
    quietest_dbfs: Annotated[float, Field(ge=-120, le=0)] | None = None  # below: unknown

    @model_validator(mode="after")
    def hop_covers_the_recording(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s ({self.hop_s}) must not exceed window_s ({self.window_s}), "
                "or parts of a recording would never be heard"
            )
        if self.hop_samples < 1:
            raise ValueError(f"hop_s ({self.hop_s}) must be at least one sample long")
        return self

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.sample_rate_hz)

    @property
    def hop_samples(self) -> int:
        return round(self.hop_s * self.sample_rate_hz)


class ImageInput(Section):
    max_side_px: int = Field(ge=64, le=2048)  # a larger photograph is made smaller
    window_px: int = Field(ge=32, le=1024)  # the squares that it is trained on


class LogMelSpec(Section):
    kind: Literal["log_mel"] = "log_mel"
    n_fft: int = Field(ge=64, le=8192)
    hop_length: int = Field(ge=16)
    n_mels: int = Field(ge=8, le=256)
    fmin_hz: float = Field(ge=0)
    fmax_hz: float = Field(gt=0)
    mel_scale: Literal["htk", "slaney"] = Field(
        default="htk", exclude_if=lambda scale: scale == "htk"
    )

    @model_validator(mode="after")
    def frames_leave_no_gap(self) -> Self:
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length ({self.hop_length}) must not exceed n_fft ({self.n_fft})")
        return self

    def shape(self, samples: int) -> tuple[int, ...]:
        """mels, frames of a window of so many samples"""
        return self.n_mels, samples // self.hop_length + 1


class WaveformSpec(Section):
    """The samples as they are, for a network that has learnt to hear by itself."""

    kind: Literal["waveform"]

    def shape(self, samples: int) -> tuple[int, ...]:
        return (samples,)


FEATURES: dict[str, type[Section]] = {"log_mel": LogMelSpec, "waveform": WaveformSpec}


def _kind_of_features(section: Any) -> Any:
    """Files and cards from before there was a choice do not say it: theirs is the log-mel."""
    found = section.get("kind") if isinstance(section, Mapping) else getattr(section, "kind", None)
    return found or "log_mel"


AnyFeatures = Annotated[
    Annotated[LogMelSpec, Tag("log_mel")] | Annotated[WaveformSpec, Tag("waveform")],
    Discriminator(_kind_of_features),
]


class AugmentSpec(Section):
    time_shift_s: float = Field(ge=0)
    gain_db: float = Field(ge=0)
    noise_snr_db: float | None
    speed: float = Field(ge=0, lt=0.5)
    freq_masks: int = Field(ge=0)
    time_masks: int = Field(ge=0)
    mixup_alpha: float = Field(ge=0)
    # Absent from the cards of older bundles.
    background_snr_db: float | None = None
    colour_db: float = Field(default=0.0, ge=0)

    @property
    def changes_log_mel(self) -> bool:
        return bool(self.freq_masks or self.time_masks or self.colour_db)


class ImageAugmentSpec(Section):
    scale: float = Field(ge=0, lt=1)
    brightness: float = Field(ge=0, lt=1)
    contrast: float = Field(ge=0, lt=1)
    colour: float = Field(ge=0, lt=1)
    noise: float = Field(ge=0, lt=1)


class TrainingSpec(Section):
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    schedule: Literal["onecycle", "plateau"]
    patience: int = Field(ge=1)
    label_smoothing: float = Field(ge=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=0.5)
    seed: int = Field(ge=0)
    # Processes, and GPUs of each; an autoscaler brings what a cluster has not got yet. With
    # `min_workers` it begins with as few, and has more or fewer as machines come and go.
    workers: int = Field(default=1, ge=0, le=64, exclude_if=lambda workers: workers == 1)
    min_workers: int | None = Field(default=None, ge=1, le=64, exclude_if=lambda few: few is None)
    gpus: int = Field(default=0, ge=0, le=8, exclude_if=lambda gpus: gpus == 0)

    @model_validator(mode="after")
    def some_are_no_more_than_all(self) -> Self:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(
                f"min_workers ({self.min_workers}) must not exceed workers ({self.workers})"
            )
        return self


class AudioTrainingSpec(TrainingSpec):
    """`sampling`: uniform, where rare labels weigh more instead; balanced, every label as often as
    the others; or groups, of a label's groups moreover a large one less often than its clips would
    be, for they are alike. `start_from` names a pretrained backbone. With `crop_s` it learns from
    parts of that length, and is asked about whole windows all the same: a network that weighs
    moments needs less of each clip at a time, and an epoch costs as much less."""

    augment: AugmentSpec
    sampling: Literal["uniform", "balanced", "groups"] = "uniform"
    start_from: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{1,30}$")
    # Not told where it is not used: the digests of recipes from before it stay as they are.
    crop_s: float | None = Field(default=None, gt=0, exclude_if=lambda crop_s: crop_s is None)


class ImageTrainingSpec(TrainingSpec):
    augment: ImageAugmentSpec


class TeachSpec(Section):
    correction_weight: float = Field(gt=0)
    prior_strength: float = Field(ge=0)


def _pairs(split: Any) -> Any:
    """A domain is a key of caches, which a dictionary cannot be; and YAML reads 3 as a number."""
    if isinstance(split, Mapping):
        return tuple((str(version), share) for version, share in split.items())
    return split


class ServingSpec(Section):
    """`split` tries versions beside the champion: {version: share of callers whom it answers}."""

    max_batch_size: int = Field(ge=1, le=256)
    batch_wait_s: float = Field(ge=0, le=1)
    split: Annotated[
        tuple[tuple[str, Annotated[float, Field(gt=0, le=1)]], ...], BeforeValidator(_pairs)
    ] = Field(default=(), max_length=2, exclude_if=lambda split: not split)

    @model_validator(mode="after")
    def shares_are_of_one(self) -> Self:
        if sum(share for _, share in self.split) > 1:
            raise ValueError(f"shares of serving.split must not exceed 1, got {dict(self.split)}")
        return self


class KeepSpec(Section):
    """Which answers are kept for people to be asked about: a share of all, those that are not sure
    enough to be asserted, and unknown ones; with their clips if so, for some days."""

    sample: float = Field(ge=0, le=1)
    unsure: bool
    unknown: bool
    clips: bool
    days: float = Field(gt=0, le=365)
    most: int = Field(default=10_000, ge=1, le=100_000)  # the oldest make room


class GateSpec(Section):
    bootstrap_samples: int = Field(ge=100)
    max_macro_f1_drop: float = Field(ge=0, le=1)
    max_class_f1_drop: float = Field(ge=0, le=1)


class TriggerSpec(Section):
    """After `new_clips` a teach; every `every_h` hours and at the times of `schedule` a full
    training (a teach where there is no data set), if a clip has changed since the last one.
    `schedule` is a cron expression in UTC, `0 3 * * *` for three every night."""

    new_clips: int | None = Field(ge=1)
    every_h: float | None = Field(gt=0)
    schedule: str | None = Field(default=None, exclude_if=lambda schedule: schedule is None)

    @field_validator("schedule")
    @classmethod
    def is_cron(cls, schedule: str | None) -> str | None:
        try:
            if schedule is not None:
                next(CronSim(schedule, datetime.now(UTC)))
        except (CronSimError, StopIteration):
            raise ValueError(
                f"{schedule!r} is no cron expression (minute hour day month weekday), as 0 3 * * *"
            ) from None
        return schedule


class StreamSpec(Section):
    """How live sound is heard (`WS /stream`): a window of `window_s` every `hop_s`; an event is one
    after `min_length_s`. Shorter than the network's window it stands in the middle of silence, as
    short clips do."""

    window_s: float = Field(gt=0.1, le=60)
    hop_s: float = Field(ge=0.02, le=60)
    min_length_s: float = Field(ge=0, le=60)

    @model_validator(mode="after")
    def hop_covers_the_sound(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s ({self.hop_s:g}) must not exceed window_s ({self.window_s:g}), or parts "
                "of the sound would never be heard"
            )
        return self


class ByteLimitSpec(Section):
    max_bytes: int = Field(ge=1_000)


class LimitSpec(ByteLimitSpec):
    """Of a clip, and of a recording of hours that is analysed (`POST /analyze`)."""

    max_duration_s: float = Field(gt=0)
    max_recording_bytes: int = Field(default=2_000_000_000, ge=1_000)  # 17 h at 16 kHz, 16 bit
    max_recording_s: float = Field(default=86_400, gt=0)


class PhotoLimitSpec(ByteLimitSpec):
    max_pixels: int = Field(ge=10_000, le=80_000_000)  # Pillow itself warns of more


class LeftOutRow(Section):
    path: str  # as the data set's list has it
    reason: str = Field(min_length=1)


class SourceSpec(Section):
    """`left_out` are rows of the data set that nobody learns from or is examined by."""

    dataset: str
    layout: Literal["manifest", "folders", "masks"]
    licence: str
    left_out: tuple[LeftOutRow, ...] = Field(default=(), exclude_if=lambda rows: not rows)


class ClipSourceSpec(SourceSpec):
    layout: Literal["manifest", "folders"]


class MaskSourceSpec(SourceSpec):
    layout: Literal["masks"]
