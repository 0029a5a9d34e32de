"""A domain is a file: reads and checks `configs/<name>.yaml`, as shipped or wherever
`TELLTALE_CONFIGS` says.

Everything that makes one kind of question different from another stands in that file;
code asks the `Domain` object and never compares its name.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from data.domains.network_specs import AnyAudioNetwork, NetworkSpec, UNetSpec
from data.domains.reserved_names import must_be_free
from data.domains.sections import (
    AnyFeatures,
    AudioInput,
    AudioTrainingSpec,
    ByteLimitSpec,
    ClipSourceSpec,
    ExampleSound,
    GateSpec,
    ImageInput,
    ImageTrainingSpec,
    KeepSpec,
    LimitSpec,
    LogMelSpec,
    MaskSourceSpec,
    PhotoLimitSpec,
    Section,
    ServingSpec,
    SourceSpec,
    StreamSpec,
    TeachSpec,
    TrainingSpec,
    TriggerSpec,
)
from data.domains.yaml_errors import explain
from data.errors import InvalidDomain, InvalidParameter, UnknownName
from data.install_paths import FILES

Mode = Literal["teach", "full"]  # how a retrain goes about it

# Labels become names of files, of columns and of MLflow's figures.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}$")]

CONFIGS = FILES / "configs"
RECIPE = {"labels", "input", "features", "network", "training"}


class Domain(Section):
    """What all domains have. Its modality decides which of the two kinds below a file is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")
    title: str
    description: str
    disclaimer: str = ""
    modality: Literal["audio", "image"]
    task: Literal["classify", "segment"]
    labels: tuple[Label, ...] = Field(min_length=2)
    network: NetworkSpec
    input: Section
    training: TrainingSpec
    teach: TeachSpec
    serving: ServingSpec
    # Nobody's clips are kept unless a file asks for it.
    keep: KeepSpec | None = Field(default=None, exclude_if=lambda keep: keep is None)
    # Whether the page lists what a visitor has asked, for as long as it is open there.
    history: bool = Field(default=True, exclude_if=lambda listed: listed)
    gate: GateSpec
    triggers: TriggerSpec
    limits: ByteLimitSpec
    source: SourceSpec
    # What people sent is forgotten so long after it came; None: kept until somebody asks.
    retention_days: Annotated[int, Field(ge=1)] | None = Field(
        default=None, exclude_if=lambda days: days is None
    )

    @model_validator(mode="after")
    def labels_differ(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be different from each other, got {list(self.labels)}")
        return self

    @model_validator(mode="after")
    def keeps_nothing_longer_than_it_may(self) -> Self:
        if self.keep and self.retention_days and self.keep.days > self.retention_days:
            raise ValueError(
                f"keep.days ({self.keep.days:g}) must not exceed retention_days "
                f"({self.retention_days}): what is kept of answers is what people sent, too"
            )
        return self

    @property
    def window(self) -> tuple[int, ...]:
        """The shape of one piece of network input, as it is trained and tested on."""
        raise NotImplementedError

    @property
    def start_from(self) -> str | None:
        """The pretrained backbone that its network starts to learn from, if any."""
        return None

    @property
    def recipe_digest(self) -> str:
        """12 hexadecimal digits of all in the file that decides what is learnt from its clips,
        whatever weights it starts from."""
        recipe = self.model_dump_json(
            include=RECIPE,
            exclude={"training": {"start_from", "workers", "min_workers", "gpus"}},
        )
        return hashlib.sha256(recipe.encode()).hexdigest()[:12]

    def label_index(self, label: str) -> int:
        if label not in self.labels:
            raise UnknownName(
                f"{self.name} has no label {label!r}; its labels are {', '.join(self.labels)}"
            )
        return self.labels.index(label)


class AudioDomain(Domain):
    modality: Literal["audio"]
    task: Literal["classify"]
    input: AudioInput
    features: AnyFeatures
    network: AnyAudioNetwork
    training: AudioTrainingSpec
    limits: LimitSpec
    source: ClipSourceSpec
    other_sounds: tuple[str, ...] = ()  # data sets of sounds that no label is for, if at hand
    # What nothing of interest is called: in a recording of hours it is no event.
    rest_label: Label | None = Field(default=None, exclude_if=lambda label: label is None)
    # What the page makes to be tried, where no clips are given for that; else neutral sounds.
    examples: tuple[ExampleSound, ...] = Field(
        default=(), max_length=3, exclude_if=lambda sounds: not sounds
    )
    # Else a whole window, a fifth of it and half of it.
    stream: StreamSpec | None = Field(default=None, exclude_if=lambda stream: stream is None)

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        if self.rest_label is not None and self.rest_label not in self.labels:
            raise ValueError(
                f"rest_label ({self.rest_label}) must be one of the labels {list(self.labels)}"
            )
        if isinstance(self.features, LogMelSpec):
            _must_fit(self.features, self.input)
        elif self.training.augment.changes_log_mel:
            raise ValueError(
                "training.augment: only a log-mel can be masked or coloured; "
                "freq_masks, time_masks and colour_db must be 0"
            )
        self.network.must_suit(self.input, self.features)
        if self.network.starts_from not in {None, self.start_from}:
            raise ValueError(
                f"network.kind {self.network.kind} needs training.start_from: "
                f"{self.network.starts_from}"
            )
        if self.training.crop_s is not None:
            self.network.must_suit_crops(self.training.crop_s, self.input, self.features)
        if self.limits.max_duration_s < self.input.window_s:
            raise ValueError("limits.max_duration_s must be at least input.window_s")
        if self.stream and self.stream.window_s > self.limits.max_duration_s:
            raise ValueError(
                f"stream.window_s ({self.stream.window_s:g}) must not exceed limits.max_duration_s "
                f"({self.limits.max_duration_s:g}): a window is asked about as a clip"
            )
        return self

    @property
    def start_from(self) -> str | None:
        return self.training.start_from

    @property
    def learnt_samples(self) -> int:
        """How much of a clip the network is given at once while it learns."""
        return round((self.training.crop_s or self.input.window_s) * self.input.sample_rate_hz)

    @property
    def frames(self) -> int:
        """Steps in time of one window: of the log-mel, or samples."""
        return self.window[-1]

    @property
    def window(self) -> tuple[int, ...]:
        """mels, frames of the log-mel; or samples"""
        return self.features.shape(self.input.window_samples)


def _must_fit(features: LogMelSpec, heard: AudioInput) -> None:
    nyquist_hz = heard.sample_rate_hz / 2
    if not features.fmin_hz < features.fmax_hz <= nyquist_hz:
        raise ValueError(
            f"features: need fmin_hz < fmax_hz <= {nyquist_hz:g} (half the sample rate), "
            f"got {features.fmin_hz:g} and {features.fmax_hz:g}"
        )
    if features.n_fft > heard.window_samples:
        raise ValueError(
            f"features.n_fft ({features.n_fft}) is longer than the window "
            f"({heard.window_samples} samples)"
        )


class ImageDomain(Domain):
    """Its labels are what a pixel may be: first what is of no interest, then what is sought."""

    modality: Literal["image"]
    task: Literal["segment"]
    labels: tuple[Label, Label]
    input: ImageInput
    network: UNetSpec
    training: ImageTrainingSpec
    limits: PhotoLimitSpec
    source: MaskSourceSpec

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        stride = self.network.stride_px
        for key in ("window_px", "max_side_px"):
            if getattr(self.input, key) % stride:
                raise ValueError(
                    f"input.{key} ({getattr(self.input, key)}) must be a multiple of {stride}: "
                    f"network.channels halve a picture {len(self.network.channels) - 1} times"
                )
        if self.input.window_px > self.input.max_side_px:
            raise ValueError(
                f"input.window_px ({self.input.window_px}) must not exceed "
                f"max_side_px ({self.input.max_side_px})"
            )
        return self

    @property
    def window(self) -> tuple[int, ...]:
        """red, green, blue; height, width"""
        return 3, self.input.window_px, self.input.window_px


MODALITIES: dict[str, type[Domain]] = {"audio": AudioDomain, "image": ImageDomain}
AnyDomain = Annotated[AudioDomain | ImageDomain, Field(discriminator="modality")]


def of_sounds(domain: Domain) -> AudioDomain:
    """For what only recordings have: raises InvalidParameter for a domain of photographs."""
    if isinstance(domain, AudioDomain):
        return domain
    raise InvalidParameter(f"this is for recordings, and {domain.name} is about photographs")


def load_domain(path: Path) -> Domain:
    """Raises InvalidDomain naming the file, the key and what would be right."""
    must_be_free(path.stem)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidDomain(f"there is no domain file {path.name}") from None
    except yaml.YAMLError as error:
        raise InvalidDomain(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidDomain(f"{path.name} must be a mapping of keys, got {type(raw).__name__}")
    return checked({**raw, "name": path.stem}, path.name)


def checked(raw: Mapping[str, Any], file: str) -> Domain:
    """Raises InvalidDomain naming the file, the key and what would be right."""
    model = MODALITIES.get(str(raw.get("modality")))
    if model is None:
        raise InvalidDomain(f"{file}: key 'modality' must be one of {', '.join(MODALITIES)}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise InvalidDomain(f"{file}: {explain(error, model)}") from error


def config_root(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of domain files: one's own in TELLTALE_CONFIGS, else what is shipped."""
    return Path(environment.get("TELLTALE_CONFIGS") or CONFIGS).expanduser().resolve()


def load_domains(folder: Path | None = None, names: tuple[str, ...] = ()) -> dict[str, Domain]:
    """All domains of a folder, `config_root()` by default, by name, recordings before photographs,
    or those of `names`, in that order."""
    folder = folder or config_root()
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if not known:
        raise InvalidDomain(
            f"{folder} holds no domain file (<name>.yaml); TELLTALE_CONFIGS names the folder"
        )
    for name in names:
        if name not in known:
            raise UnknownName(f"there is no domain {name!r}; the domains are {', '.join(known)}")
    found = {name: load_domain(folder / f"{name}.yaml") for name in names or known}
    return found if names else dict(sorted(found.items(), key=lambda each: each[1].modality))


def domains_from_env(environment: Mapping[str, str] = os.environ) -> dict[str, Domain]:
    """Those that TELLTALE_DOMAINS names, in that order, else all; raises as `load_domains`."""
    names = environment.get("TELLTALE_DOMAINS", "").replace(",", " ").split()
    return load_domains(config_root(environment), tuple(names))
