"""The options of the two controls."""

from dataclasses import dataclass

from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class TokenOptions:
    """`layer` is the tapped block of a 24-block tower."""

    layer: int = 24
    position: PositionRule = "bilinear"
    activation: Activation = "native"


@dataclass(frozen=True)
class ColourOptions:
    """There are no options."""
