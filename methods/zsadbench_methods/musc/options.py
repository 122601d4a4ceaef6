"""MuSc's options; the defaults are what the published code computes."""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.tokens import Numbering
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Settings of MuSc.

    Attributes:
        layers: tapped blocks; by `numbering` of a tower of 24 blocks, or the encoder's own numbers.
        class_layer: the block whose class token is the image feature: the last one.
        numbering: whose numbers `layers` and `class_layer` are.
        final_norm: whether the tokens go through the final norm of the encoder, as published for DINO and DINOv2.
        degrees: sides of the neighbourhoods of patches that are averaged.
        norm_epsilon: added to the variance where the map of an image is normalised.
        nearest: the share of the other images, the nearest ones of every patch, that its score averages.
        neighbours: how many images, an image itself included, each of the averaged image scores takes.
        class_tokens: image features of unit length, `raw`, or as `published`: raw for an encoder without text.
        corners: whether corners are aligned where maps are enlarged.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    class_layer: int = 24
    numbering: Numbering = "reference"
    final_norm: bool = False
    degrees: tuple[int, ...] = (1, 3, 5)
    norm_epsilon: float = 1e-5
    nearest: float = 0.3
    neighbours: tuple[int, ...] = (1, 2, 3)
    class_tokens: Literal["published", "unit", "raw"] = "published"
    corners: bool = True
    position: PositionRule = "bicubic_antialias"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        if not self.layers or len(set(self.layers)) < len(self.layers) or min(self.blocks) < 1:
            raise UsageError(f"option 'layers' is {list(self.layers)}; it takes distinct blocks, at least one")
        object.__setattr__(self, "layers", tuple(sorted(self.layers)))
        if not self.degrees or any(side < 1 or side % 2 == 0 for side in self.degrees):
            raise UsageError(f"option 'degrees' is {list(self.degrees)}; it takes odd numbers, at least one")
        if not self.neighbours or min(self.neighbours) < 1:
            raise UsageError(f"option 'neighbours' is {list(self.neighbours)}; it takes positive numbers")
        if not 0 < self.nearest <= 1 or self.norm_epsilon <= 0:
            raise UsageError("option 'nearest' must lie in (0, 1], and 'norm_epsilon' be positive")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Every tapped block, in order of depth."""
        return tuple(sorted({*self.layers, self.class_layer}))

    def nearest_of(self, images: int) -> int:
        """How many other images count in a class of so many images."""
        return int(self.nearest * (images - 1))

    @property
    def fewest(self) -> int:
        """The smallest class that can be scored: one other image counts, and there are enough neighbours."""
        images = max(2, *self.neighbours)
        while not self.nearest_of(images):
            images += 1
        return images
