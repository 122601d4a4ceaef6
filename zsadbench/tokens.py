"""Tokens: which of them a method needs from the frozen image encoder, and those of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


PositionRule = Literal["bilinear", "bicubic", "bicubic_antialias"]
Activation = Literal["native", "quick_gelu", "gelu"]
Preprocessing = Literal["rgb_first", "resize_first", "opencv_rgb", "opencv_bgr"]
Compiling = Literal["off", "blocks", "graphs"]


@dataclass(frozen=True)
class Taps:
    """The blocks of the frozen image tower whose output tokens a method needs; one pass of the tower gives them all.

    Block numbers are 1-based, ascending, for a tower of 24 blocks; `zsadbench.clip.place_taps` maps them to other
    depths. Tokens are raw: a method itself applies the tower's `norm` and `projection`, also to the class token.
    Methods share tokens only if `activation`, `position` and `preprocessing` are equal.

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


class Tokens(NamedTuple):
    """The tokens of one batch.

    Attributes:
        layers: for each of `Taps.blocks`, float32 (batch, 1 + grid², width): the residual stream after the block; the
            class token comes first, then the patches in raster order.
        grid: the side of the square patch grid.
        value_layers: the same for each of `Taps.value_blocks`, on the value-value path.
        colours: (batch, grid², 3), the mean of the normalised pixels of every patch; None unless `Taps.colours`.
        parts: what a method that works inside the encoders computed there: name → float32 (batch, …).
    """

    layers: tuple[Tensor, ...]
    grid: int
    value_layers: tuple[Tensor, ...] = ()
    colours: Tensor | None = None
    parts: Mapping[str, Tensor] = MappingProxyType({})
