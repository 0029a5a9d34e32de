"""What a domain file may say of its network, a class for each kind.

A kind says itself what it needs of the rest of the file.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from data.domains.sections import AudioInput, LogMelSpec, Section, WaveformSpec

Channels = Annotated[int, Field(ge=1)]

WAV2VEC2_RATE_HZ = 16_000
SPEECH_RATE_HZ = 8_000
SPEECH_FRAME_S = 0.76
SPEECH_STEP_S = 0.08
SPEECH_FEATURES = LogMelSpec(
    n_fft=256, hop_length=80, n_mels=32, fmin_hz=60, fmax_hz=3800, mel_scale="slaney"
)


class NetworkSpec(Section):
    kind: str
    embedding: int
    dropout: float = Field(ge=0, lt=1)


class AudioNetworkSpec(NetworkSpec):
    hears: ClassVar[str] = "log_mel"
    whole_windows: ClassVar[bool] = False  # has weights for each moment of a window
    least_samples: ClassVar[int] = 1
    starts_from: ClassVar[str | None] = None  # a backbone, without which it could learn nothing
    embedding: int = Field(ge=16, le=1024)

    def must_suit(self, heard: AudioInput, features: LogMelSpec | WaveformSpec) -> None:
        """Raises ValueError in words."""
        if features.kind != self.hears:
            raise ValueError(
                f"network.kind {self.kind} needs features.kind {self.hears}, got {features.kind}"
            )

    def frames_s(self, window_s: float, frames: int) -> tuple[float, float]:
        """When in a window the first of its frames begins, and the next ones after each other."""
        return 0.0, window_s / frames

    def must_suit_crops(
        self, crop_s: float, heard: AudioInput, features: LogMelSpec | WaveformSpec
    ) -> None:
        """Raises ValueError in words."""
        if crop_s > heard.window_s:
            raise ValueError(
                f"training.crop_s ({crop_s}) must not exceed window_s ({heard.window_s})"
            )
        if self.whole_windows:
            raise ValueError(f"network.kind {self.kind} takes whole windows only: no crop_s")
        least = features.n_fft if isinstance(features, LogMelSpec) else self.least_samples
        if least > crop_s * heard.sample_rate_hz:
            raise ValueError(
                f"training.crop_s ({crop_s}) must be at least {least} samples, "
                f"{least / heard.sample_rate_hz:g} s"
            )


class CNNSpec(AudioNetworkSpec):
    kind: Literal["cnn"]
    channels: tuple[Channels, ...] = Field(min_length=2)


class CRNNSpec(AudioNetworkSpec):
    """`recurrent` is the size of the LSTM in each direction; `heads` look at both of them."""

    kind: Literal["crnn"]
    channels: tuple[Channels, ...] = Field(min_length=2)
    recurrent: int = Field(ge=8, le=512)
    heads: int = Field(ge=1, le=16)

    @model_validator(mode="after")
    def heads_share_equally(self) -> Self:
        if 2 * self.recurrent % self.heads:
            raise ValueError(
                f"heads ({self.heads}) must divide twice recurrent ({2 * self.recurrent})"
            )
        return self


class MLPSpec(AudioNetworkSpec):
    """`stretch_s` is how long a piece of the window its statistics are of, about; `mfcc` how many
    cepstral coefficients there are beside the log-mel; `hidden` the sizes of its layers."""

    whole_windows: ClassVar[bool] = True
    kind: Literal["mlp"]
    stretch_s: float = Field(gt=0)
    mfcc: int = Field(ge=1)
    hidden: tuple[Channels, ...] = Field(min_length=1)

    def must_suit(self, heard: AudioInput, features: LogMelSpec | WaveformSpec) -> None:
        super().must_suit(heard, features)
        mels, frames = features.shape(heard.window_samples)
        if self.mfcc > mels:
            raise ValueError(f"network.mfcc ({self.mfcc}) must not exceed n_mels ({mels})")
        if self.stretch_s > heard.window_s:
            raise ValueError(
                f"network.stretch_s ({self.stretch_s}) must not exceed window_s ({heard.window_s})"
            )
        if frames // self.stretches(heard) < 2:
            raise ValueError(
                f"network.stretch_s ({self.stretch_s}) is shorter than two frames of the log-mel"
            )

    def stretches(self, heard: AudioInput) -> int:
        return max(1, round(heard.window_s / self.stretch_s))


class Wav2Vec2Spec(AudioNetworkSpec):
    """The defaults are the sizes of torchaudio's WAV2VEC2_BASE, of which `layers` may be fewer;
    other sizes need a file of such weights.

    `weights` is where the file lies on the machine that trains, or nothing: torchaudio then
    fetches it. A bundle has the weights themselves, so that its card does without the path.
    """

    hears: ClassVar[str] = "waveform"
    least_samples: ClassVar[int] = 400  # what its first layers make one frame of
    kind: Literal["wav2vec2_base"]
    weights: Path | None = Field(default=None, exclude=True)
    layers: int = Field(default=12, ge=1, le=48)
    width: int = Field(default=768, ge=16, multiple_of=16)
    heads: int = Field(default=12, ge=1)
    feed_forward: int = Field(default=3072, ge=1)
    channels: int = Field(default=512, ge=1)

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        if self.weights and not self.weights.is_absolute():
            raise ValueError(f"weights must be a whole path, from / on, got {self.weights}")
        return self

    def must_suit(self, heard: AudioInput, features: LogMelSpec | WaveformSpec) -> None:
        super().must_suit(heard, features)
        if heard.sample_rate_hz != WAV2VEC2_RATE_HZ:
            raise ValueError(
                f"network.kind {self.kind} has learnt from sounds at {WAV2VEC2_RATE_HZ} Hz: "
                f"input.sample_rate_hz must be that, got {heard.sample_rate_hz}"
            )


class SpeechEmbeddingSpec(AudioNetworkSpec):
    """Its trunk was trained on one log-mel, so features must be that; it needs no more than 8 kHz.
    `embedding` is the size of the layer of our own."""

    whole_windows: ClassVar[bool] = True
    starts_from: ClassVar[str | None] = "speech"
    kind: Literal["speech_embedding"]

    def must_suit(self, heard: AudioInput, features: LogMelSpec | WaveformSpec) -> None:
        super().must_suit(heard, features)
        if features != SPEECH_FEATURES or heard.sample_rate_hz != SPEECH_RATE_HZ:
            needed = SPEECH_FEATURES.model_dump(exclude={"kind"})
            raise ValueError(
                f"network.kind {self.kind} was trained on one log-mel: features must be {needed} "
                f"and input.sample_rate_hz {SPEECH_RATE_HZ}, to which other clips are resampled"
            )
        if heard.window_s < SPEECH_FRAME_S:
            raise ValueError(
                f"network.kind {self.kind} hears {SPEECH_FRAME_S} s at once: input.window_s must "
                f"be at least that, got {heard.window_s}"
            )

    def frames_s(self, window_s: float, frames: int) -> tuple[float, float]:
        """Around the middle of what each frame hears: nothing is added at the ends of a window."""
        return (SPEECH_FRAME_S - SPEECH_STEP_S) / 2, SPEECH_STEP_S


class UNetSpec(NetworkSpec):
    """One number of channels for each halving of the picture, the first for its full size."""

    kind: Literal["unet"]
    channels: tuple[Channels, ...] = Field(min_length=2, max_length=6)
    embedding: int = Field(ge=4, le=64)

    @property
    def stride_px(self) -> int:
        """What the sides of a picture have to be multiples of."""
        return int(2 ** (len(self.channels) - 1))


AnyAudioNetwork = Annotated[
    CNNSpec | CRNNSpec | MLPSpec | Wav2Vec2Spec | SpeechEmbeddingSpec, Field(discriminator="kind")
]
AUDIO_NETWORKS: dict[str, type[Section]] = {
    get_args(spec.model_fields["kind"].annotation)[0]: spec
    for spec in get_args(get_args(AnyAudioNetwork)[0])
}
