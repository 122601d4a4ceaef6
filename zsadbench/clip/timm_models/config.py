"""The sizes of encoders of the library timm; imports neither torch nor timm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsadbench.clip.sizes import BackboneConfig, TextConfig, VisionConfig
from zsadbench.tokens import PixelNorm

if TYPE_CHECKING:
    from zsadbench.tokens import BackboneKind

NO_TEXT = TextConfig(0, 0, 0, 0, 0)  # of an encoder without a text tower


@dataclass(frozen=True)
class Trunk:
    """How timm builds an encoder.

    Attributes:
        model: timm's name of the architecture.
        arguments: keyword arguments that differ from those of the architecture, sorted by name.
        activation: that of the MLPs, as records state it.
        mean: of the pixels with which it was trained, between 0 and 1.
        deviation: the standard deviation of these pixels.
        tag: the published weights of the architecture that are taken by default; empty for none.
    """

    model: str
    arguments: tuple[tuple[str, Any], ...]
    activation: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    tag: str = ""


@dataclass(frozen=True)
class TimmVisionConfig(VisionConfig):
    """Sizes of an encoder of timm.

    Attributes:
        registers: tokens between the class token and the patches.
        class_token: whether there is a class token.
        block_weights: weights of the linear layers of one block.
        heads_width: width of all heads of an attention together.
    """

    registers: int
    class_token: bool
    block_weights: int
    heads_width: int

    @property
    def prefix_tokens(self) -> int:
        """The number of tokens before the patches: class token and registers."""
        return self.registers + self.class_token

    @property
    def block_products(self) -> int:
        """Multiply-accumulates of a block for one token in linear layers."""
        return self.block_weights

    @property
    def attention_width(self) -> int:
        """The width of all heads of an attention together."""
        return self.heads_width


@dataclass(frozen=True)
class TimmConfig(BackboneConfig):
    """A backbone whose image tower is an encoder of timm; `vision` is a `TimmVisionConfig`."""

    trunk: Trunk

    @property
    def pixels(self) -> PixelNorm:
        """What images are normalised with."""
        return PixelNorm(self.trunk.mean, self.trunk.deviation)

    @property
    def activation(self) -> str:
        """The activation of the MLPs of the image tower."""
        return self.trunk.activation

    def sizes(self) -> dict[str, Any]:
        """All fields that decide a tensor, as plain values; neither the name nor the published weights."""
        sizes = super().sizes()
        return {**sizes, "trunk": {key: value for key, value in sizes["trunk"].items() if key != "tag"}}


@dataclass(frozen=True)
class VisionOnlyConfig(TimmConfig):
    """An image encoder alone: no text tower, and no space that images share with texts (`embed_dim` is 0)."""

    @property
    def kind(self) -> BackboneKind:
        """What the backbone is."""
        return "vision-only"

    @property
    def default_weights(self) -> str:
        """The weights where the user names none; empty for none."""
        return self.trunk.tag

    @property
    def shipped(self) -> bool:
        """Whether timm has the architecture by name; else it is from a file."""
        return not self.trunk.arguments
