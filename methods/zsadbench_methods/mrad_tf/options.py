"""MRAD-TF's options; the defaults are what the published code computes."""

from dataclasses import dataclass

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Settings of MRAD's training-free variant.

    Attributes:
        value_from: the block at which the value-value path begins, of a tower of 24 blocks.
        windows: sides of the neighbourhoods whose means are averaged.
        temperature: divides the cosines before the softmax over the memory.
        sigma: of the Gaussian of the map from which the image score is read, in pixels of the input.
        top_share: the highest share of that map's pixels that the image score averages.
        image_weight: the weight of the image memory in the image score, beside that of the map.

    Raises:
        UsageError: a value is out of range.
    """

    value_from: int = 2
    windows: tuple[int, ...] = (1, 3, 5)
    temperature: float = 1.0
    sigma: float = 4.0
    top_share: float = 0.01
    image_weight: float = 0.7
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        if not self.windows or any(side < 1 or side % 2 == 0 for side in self.windows):
            raise UsageError(f"option 'windows' is {list(self.windows)}; it takes odd numbers, at least one")
        if not 1 <= self.value_from <= 24:
            raise UsageError(f"option 'value_from' is {self.value_from}; it must lie in 1..24")
        if self.temperature <= 0 or self.sigma <= 0:
            raise UsageError("options 'temperature' and 'sigma' must be positive")
        if not 0 < self.top_share <= 1 or not 0 <= self.image_weight <= 1:
            raise UsageError("option 'top_share' must lie in (0, 1], and 'image_weight' in [0, 1]")
