"""AnomalyCLIP's options: every place where paper and code differ, and the parts that the paper ablates.

The defaults are what the published scripts compute.
"""

from dataclasses import dataclass

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

LAST = 24  # the block whose class token is the image feature


@dataclass(frozen=True)
class Options:
    """Settings of AnomalyCLIP.

    `layers` are blocks of a 24-block tower whose patches make maps, which are added. `value_value` takes the patches
    from the value-value path, which begins at block `value_from`, instead of the plain path. `deep_depth` counts the
    text blocks with learned prompts, including the first, which gets the contexts; `deep_length` is the number of
    tokens of a deep prompt, `deep_half` rounds deep prompts to half precision. `cls_norm` puts the class token through
    CLIP's final norm before the projection.

    Raises:
        UsageError: a value is out of range or not known.
    """

    layers: tuple[int, ...] = (LAST,)
    value_value: bool = True
    value_from: int = 6
    context: int = 12
    class_word: str = "object"
    damage_word: str = "damaged"
    deep_depth: int = 9
    deep_length: int = 4
    deep_half: bool = True
    cls_norm: bool = False
    temperature: float = 0.07
    image_weight: float = 1.0
    pixel_weight: float = 4.0
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        first = self.value_from if self.value_value else 1
        known = range(first, LAST + 1)
        if not self.layers or len(set(self.layers)) < len(self.layers) or not set(self.layers) <= set(known):
            raise UsageError(
                f"option 'layers' is {list(self.layers)}; it takes distinct blocks of {first}..{LAST}, at least one"
            )
        object.__setattr__(self, "layers", tuple(sorted(self.layers)))
        if not 1 <= self.value_from <= LAST:
            raise UsageError(f"option 'value_from' is {self.value_from}; it must lie in 1..{LAST}")
        self._check_prompts()
        if self.temperature <= 0:
            raise UsageError("option 'temperature' must be positive")
        if min(self.image_weight, self.pixel_weight, self.focal_gamma) < 0 or not 0 <= self.focal_smoothing < 0.5:
            raise UsageError(
                "options 'image_weight', 'pixel_weight' and 'focal_gamma' must not be negative, "
                "'focal_smoothing' must lie in [0, 0.5)"
            )

    def _check_prompts(self) -> None:
        if self.context < 1 or self.deep_depth < 1:
            raise UsageError("options 'context' and 'deep_depth' must be positive")
        if not 1 <= self.deep_length <= self.context:
            raise UsageError(
                f"option 'deep_length' is {self.deep_length}; deep prompts take the place of contexts, "
                f"of which there are {self.context}"
            )
