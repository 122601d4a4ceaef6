"""APRIL-GAN's options; the defaults are what the published code computes."""

from dataclasses import dataclass

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Settings of APRIL-GAN.

    `layers` are tapped blocks of a 24-block tower with a linear layer each, `memory_layers` those whose patches the
    few-shot form remembers. `logit_scale` multiplies the cosines. `corners` aligns the corners where maps are enlarged.
    `map_share` is the weight of the map's maximum in the image score of the few-shot form, beside that of the class
    token. `dice_by_row` averages the dice loss of a batch of one image over the rows of the image, as published.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    logit_scale: float = 100.0
    corners: bool = True
    memory_layers: tuple[int, ...] = (6, 12, 18, 24)
    map_share: float = 0.5
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    dice_by_row: bool = True
    position: PositionRule = "bicubic_antialias"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        for name in ("layers", "memory_layers"):
            blocks = getattr(self, name)
            if not blocks or len(set(blocks)) < len(blocks) or not all(1 <= block <= 24 for block in blocks):
                raise UsageError(f"option '{name}' is {list(blocks)}; it takes distinct blocks of 1..24, at least one")
            object.__setattr__(self, name, tuple(sorted(blocks)))
        if self.logit_scale <= 0 or not 0 <= self.map_share <= 1:
            raise UsageError("option 'logit_scale' must be positive, and 'map_share' from 0 to 1")
        if self.focal_gamma < 0 or not 0 <= self.focal_smoothing < 0.5:
            raise UsageError("option 'focal_gamma' must not be negative, and 'focal_smoothing' from 0 to one half")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Every tapped block, in order of depth; the last one gives the class token."""
        return tuple(sorted({*self.layers, *self.memory_layers, 24}))
