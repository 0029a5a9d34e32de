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
}
AnyAudioNetwork = Annotated[CNNSpec | CRNNSpec, Field(discriminator="kind")]
