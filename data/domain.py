"""A domain is a file: reads and checks `configs/<name>.yaml`.

Everything that makes one kind of question different from another stands in that file;
code asks the `Domain` object and never compares its name.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.errors import InvalidDomain, UnknownName

Mode = Literal["teach", "full"]  # how a retrain goes about it

# Labels become names of files, of columns and of MLflow's figures.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}$")]

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioInput(Section):
    sample_rate_hz: int = Field(ge=4_000, le=96_000)
    window_s: float = Field(gt=0.1, le=60)
    hop_s: float = Field(gt=0.0)

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


class LogMelSpec(Section):
    n_fft: int = Field(ge=64, le=8192)
    hop_length: int = Field(ge=16)
    n_mels: int = Field(ge=8, le=256)
    fmin_hz: float = Field(ge=0)
    fmax_hz: float = Field(gt=0)

    @model_validator(mode="after")
    def frames_leave_no_gap(self) -> Self:
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length ({self.hop_length}) must not exceed n_fft ({self.n_fft})")
        return self


class NetworkSpec(Section):
    kind: Literal["cnn"]
    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=2)
    embedding: int = Field(ge=16, le=1024)
    dropout: float = Field(ge=0, lt=1)


class AugmentSpec(Section):
    time_shift_s: float = Field(ge=0)
    gain_db: float = Field(ge=0)
    noise_snr_db: float | None
    speed: float = Field(ge=0, lt=0.5)
    freq_masks: int = Field(ge=0)
    time_masks: int = Field(ge=0)
    mixup_alpha: float = Field(ge=0)


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
    augment: AugmentSpec


class TeachSpec(Section):
    correction_weight: float = Field(gt=0)
    prior_strength: float = Field(ge=0)


class ServingSpec(Section):
    max_batch_size: int = Field(ge=1, le=256)
    batch_wait_s: float = Field(ge=0, le=1)


class GateSpec(Section):
    bootstrap_samples: int = Field(ge=100)
    max_macro_f1_drop: float = Field(ge=0, le=1)
    max_class_f1_drop: float = Field(ge=0, le=1)


class TriggerSpec(Section):
    new_clips: int | None = Field(ge=1)
    every_h: float | None = Field(gt=0)


class LimitSpec(Section):
    max_bytes: int = Field(ge=1_000)
    max_duration_s: float = Field(gt=0)


class SourceSpec(Section):
    dataset: str
    layout: Literal["manifest"]
    licence: str


class Domain(Section):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")
    title: str
    description: str
    disclaimer: str = ""
    modality: Literal["audio"]
    task: Literal["classify"]
    labels: tuple[Label, ...] = Field(min_length=2)
    input: AudioInput
    features: LogMelSpec
    network: NetworkSpec
    training: TrainingSpec
    teach: TeachSpec
    serving: ServingSpec
    gate: GateSpec
    triggers: TriggerSpec
    limits: LimitSpec
    source: SourceSpec

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be different from each other, got {list(self.labels)}")
        nyquist_hz = self.input.sample_rate_hz / 2
        if not self.features.fmin_hz < self.features.fmax_hz <= nyquist_hz:
            raise ValueError(
                f"features: need fmin_hz < fmax_hz <= {nyquist_hz:g} (half the sample rate), "
                f"got {self.features.fmin_hz:g} and {self.features.fmax_hz:g}"
            )
        if self.features.n_fft > self.input.window_samples:
            raise ValueError(
                f"features.n_fft ({self.features.n_fft}) is longer than the window "
                f"({self.input.window_samples} samples)"
            )
        if self.limits.max_duration_s < self.input.window_s:
            raise ValueError("limits.max_duration_s must be at least input.window_s")
        return self

    @property
    def frames(self) -> int:
        """Log-mel frames in one window."""
        return self.input.window_samples // self.features.hop_length + 1

    def label_index(self, label: str) -> int:
        if label not in self.labels:
            raise UnknownName(
                f"{self.name} has no label {label!r}; its labels are {', '.join(self.labels)}"
            )
        return self.labels.index(label)


def load_domain(path: Path) -> Domain:
    """Raises InvalidDomain naming the file, the key and what would be right."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidDomain(f"there is no domain file {path.name}") from None
    except yaml.YAMLError as error:
        raise InvalidDomain(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidDomain(f"{path.name} must be a mapping of keys, got {type(raw).__name__}")
    try:
        return Domain.model_validate({**raw, "name": path.stem})
    except ValidationError as error:
        raise InvalidDomain(f"{path.name}: {_explain(error)}") from error


def load_domains(folder: Path = CONFIGS, names: tuple[str, ...] = ()) -> dict[str, Domain]:
    """All domains of a folder by name, or those of `names`, in that order."""
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    for name in names:
        if name not in known:
            raise UnknownName(f"there is no domain {name!r}; the domains are {', '.join(known)}")
    return {name: load_domain(folder / f"{name}.yaml") for name in names or known}


def _explain(error: ValidationError) -> str:
    mistakes = ((item["loc"], item["type"], item["msg"]) for item in error.errors())
    return "; ".join(_explain_one(*mistake) for mistake in mistakes)


def _explain_one(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; accepted here: {', '.join(_accepted(loc))}"
    if kind == "missing":
        return f"key {key!r} is missing"
    text = message.removeprefix("Value error, ")
    return f"key {key!r}: {text}" if key else text


def _accepted(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Domain
    for part in loc[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return sorted(set(model.model_fields) - {"name"})
