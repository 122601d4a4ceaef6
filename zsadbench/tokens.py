"""What methods read from the frozen image encoder, and the tokens that one batch gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


PositionRule = Literal["bilinear", "bicubic", "bicubic_antialias"]
Activation = Literal["native", "quick_gelu", "gelu"]
Preprocessing = Literal["rgb_first", "resize_first"]
Compiling = Literal["off", "blocks", "graphs"]


@dataclass(frozen=True)
class Taps:
    """What a method reads from the frozen image tower; one run of the tower gives all of it.

    `blocks` are read on the plain path, `value_blocks` on the value-value path, which begins at
    block `value_from` and runs beside the plain one (see `zsadbench.clip.attention`). All are
    1-based numbers in a tower of 24 blocks, in order of depth; other depths follow
    `zsadbench.clip.place_taps`. Tokens come raw: a method puts them through the tower's `norm`
    and `projection` itself, or not, the class token included.

    `position` resizes the positional table, `activation` overrides the MLP activation that the
    weights ask for, `preprocessing` is the order used in training: methods share tokens only where
    these agree. `colours` asks for the mean colour of every patch as well.
    """

    blocks: tuple[int, ...] = ()
    activation: Activation = "native"
    position: PositionRule = "bilinear"
    preprocessing: Preprocessing = "resize_first"
    value_blocks: tuple[int, ...] = ()
    value_from: int = 6
    colours: bool = False


class Tokens(NamedTuple):
    """One batch through the frozen image tower.

    `layers[k]` is float32 (batch, 1 + grid², width): the raw residual stream after tap k, token 0
    the class token, then the patches in raster order. `grid` is the side of the square patch grid.
    `value_layers[k]`, of the same shape, is the value-value path after its tap k. `colours`, (batch, grid², 3)
    where they were asked for, are the means of the normalised pixels of every patch.
    """

    layers: tuple[Tensor, ...]
    grid: int
    value_layers: tuple[Tensor, ...] = ()
    colours: Tensor | None = None
