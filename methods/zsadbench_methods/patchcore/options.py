"""PatchCore's options; the defaults are what the published code computes, on one tapped block."""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.tokens import Numbering
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Settings of PatchCore's memory.

    Attributes:
        layers: tapped blocks; by `numbering` of a tower of 24 blocks, or the encoder's own numbers.
        numbering: whose numbers `layers` are.
        final_norm: whether the tokens go through the final norm of the encoder.
        side: of the neighbourhood of every patch.
        layer_width: numbers to which the neighbourhood is pooled per layer; 0 for the width of the tokens.
        width: numbers to which all layers together are pooled; 0 for the width of the tokens.
        unit: whether embeddings are brought to unit length.
        coreset: how the patches that are kept are chosen: greedily from exact distances, greedily from
            distances to a few start rows, or all of them.
        share: the share of the patches that are kept.
        starts: of the approximate choice: start rows.
        projected: random dimensions in which the approximate choice measures distances; 0 for those of the embeddings.
        seed: of the start rows and of the random projection.
        distance: to the nearest kept patches: squared Euclidean, Euclidean, or 1 − cos.
        neighbours: how many nearest patches count.
        image_score: the largest distance of a patch, or the mean of the highest share.
        top_share: that share.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (14,)
    numbering: Numbering = "reference"
    final_norm: bool = False
    side: int = 3
    layer_width: int = 0
    width: int = 0
    unit: bool = False
    coreset: Literal["approximate", "exact", "all"] = "approximate"
    share: float = 0.1
    starts: int = 10
    projected: int = 128
    seed: int = 0
    distance: Literal["squared", "euclidean", "cosine"] = "squared"
    neighbours: int = 1
    image_score: Literal["maximum", "top"] = "maximum"
    top_share: float = 0.01
    position: PositionRule = "bicubic"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        if not self.layers or len(set(self.layers)) < len(self.layers) or min(self.layers) < 1:
            raise UsageError(f"option 'layers' is {list(self.layers)}; it takes distinct blocks, at least one")
        object.__setattr__(self, "layers", tuple(sorted(self.layers)))
        if self.side < 1 or self.side % 2 == 0:
            raise UsageError(f"option 'side' is {self.side}; it takes an odd number")
        if min(self.layer_width, self.width, self.projected, self.seed) < 0 or min(self.starts, self.neighbours) < 1:
            raise UsageError("widths, 'projected' and 'seed' must not be negative, 'starts' and 'neighbours' positive")
        if not 0 < self.share < 1 or not 0 < self.top_share <= 1:
            raise UsageError("option 'share' must lie in (0, 1) (for all patches: coreset=all), 'top_share' in (0, 1]")
