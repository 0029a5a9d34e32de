"""What a domain file may say of its network, a class for each kind.

A kind says itself what it needs of the rest of the file.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from data.sections import AudioInput, LogMelSpec, Section, WaveformSpec

Channels = Annotated[int, Field(ge=1)]


class NetworkSpec(Section):
    kind: str
    embedding: int
    dropout: float = Field(ge=0, lt=1)


class AudioNetworkSpec(NetworkSpec):
    hears: ClassVar[str] = "log_mel"
    embedding: int = Field(ge=16, le=1024)

    def must_suit(self, heard: AudioInput, features: LogMelSpec | WaveformSpec) -> None:
        """Raises ValueError in words."""
        if features.kind != self.hears:
            raise ValueError(
                f"network.kind {self.kind} needs features.kind {self.hears}, got {features.kind}"
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


class UNetSpec(NetworkSpec):
    """One number of channels for each halving of the picture, the first for its full size."""

    kind: Literal["unet"]
    channels: tuple[Channels, ...] = Field(min_length=2, max_length=6)
    embedding: int = Field(ge=4, le=64)

    @property
    def stride_px(self) -> int:
        """What the sides of a picture have to be multiples of."""
        return int(2 ** (len(self.channels) - 1))


AUDIO_NETWORKS: dict[str, type[Section]] = {
    "cnn": CNNSpec,
    "crnn": CRNNSpec,
    "mlp": MLPSpec,
}
AnyAudioNetwork = Annotated[CNNSpec | CRNNSpec | MLPSpec, Field(discriminator="kind")]
