"""The options of plain CLIP."""

from dataclasses import dataclass

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Two sentences, in which `{}` stands for the class, and CLIP's own temperature.

    A temperature of 0 is that of the weights. `layer` is the tapped block of a 24-block tower.

    Raises:
        UsageError: a sentence has not exactly one `{}`, or the temperature is negative.
    """

    normal: str = "a photo of a normal {}."
    anomalous: str = "a photo of a damaged {}."
    temperature: float = 0.01
    layer: int = 24
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        for name in ("normal", "anomalous"):
            if getattr(self, name).count("{}") != 1:
                raise UsageError(f"option '{name}' must hold one '{{}}', where the class name goes")
        if self.temperature < 0:
            raise UsageError("option 'temperature' must be positive, or 0 for that of the weights")
