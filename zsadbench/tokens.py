"""Tokens: which of them a method needs from the frozen image encoder, and those of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


# A plain CLIP; another pair of encoders with a joint space of images and texts; an image encoder alone.
BackboneKind = Literal["clip", "image-text", "vision-only"]
PositionRule = Literal["bilinear", "bicubic", "bicubic_antialias", "bicubic_offset"]
Activation = Literal["native", "quick_gelu", "gelu"]
Preprocessing = Literal["rgb_first", "resize_first", "opencv_rgb", "opencv_bgr"]
Compiling = Literal["off", "blocks", "graphs"]
Numbering = Literal["reference", "own"]


class PixelNorm(NamedTuple):
    """What images are normalised with, per colour, after division by 255: (pixels − mean) / deviation."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


CLIP_PIXELS = PixelNorm((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET_PIXELS = PixelNorm((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Taps:
    """The blocks of the frozen image tower whose output tokens a method needs; one pass of the tower gives them all.

    Block numbers are 1-based, ascending, for a tower of 24 blocks; `zsadbench.clip.place_taps` maps them to other
    depths. Tokens are raw unless `final_norm` is set: a method itself applies the tower's `norm` and `projection`, also
    to the class token. Methods share tokens only if `activation`, `position`, `preprocessing`, `numbering` and
    `final_norm` are equal.

    Attributes:
        blocks: blocks of the plain path.
        activation: replaces the activation of the MLPs that belongs to the weights.
        position: how the table of positional embeddings is resized.
        preprocessing: whether images are resized before or after the conversion to RGB.
        value_blocks: blocks of the value-value path (see `zsadbench.clip.attention`).
        value_from: the block at which the value-value path begins, parallel to the plain path.
        colours: whether to compute the mean colour of every patch.
        own_encoding: whether the method works inside the encoders and encodes images itself (`OwnEncoding`). It then
            shares no encoding; `blocks` are those that it reads, if any, for the record.
        frozen: of an own encoding, whether nothing in it is trained, so that training on support images encodes each
            of them once.
        numbering: `reference` if block numbers are those of a tower of 24 blocks, where 24 is the last block of any
            tower; `own` if they are those of the encoder itself, which must have so many blocks.
        final_norm: whether the tokens of every tapped block go through the encoder's final layer norm.
    """

    blocks: tuple[int, ...] = ()
    activation: Activation = "native"
    position: PositionRule = "bilinear"
    preprocessing: Preprocessing = "resize_first"
    value_blocks: tuple[int, ...] = ()
    value_from: int = 6
    colours: bool = False
    own_encoding: bool = False
    frozen: bool = False
    numbering: Numbering = "reference"
    final_norm: bool = False


class Tokens(NamedTuple):
    """The tokens of one batch.

    Attributes:
        layers: for each of `Taps.blocks`, float32 (batch, 1 + grid², width): the residual stream after the block; the
            class token comes first, then the patches in raster order. Register tokens are left out; where an encoder
            has no class token, the mean of the patches stands in its place.
        grid: the side of the square patch grid; of a rectangular one, the number of columns.
        value_layers: the same for each of `Taps.value_blocks`, on the value-value path.
        colours: (batch, grid², 3), the mean of the normalised pixels of every patch; None unless `Taps.colours`.
        parts: what a method that works inside the encoders computed there: name → float32 (batch, …).
        rows: the number of rows of a rectangular patch grid; 0 for a square one.
    """

    layers: tuple[Tensor, ...]
    grid: int
    value_layers: tuple[Tensor, ...] = ()
    colours: Tensor | None = None
    parts: Mapping[str, Tensor] = MappingProxyType({})
    rows: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and columns of the patch grid."""
        return self.rows or self.grid, self.grid
