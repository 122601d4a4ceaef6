"""FAPrompt's options: every place where paper and code differ, and the weights of the losses.

The defaults are what the published code computes.
"""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

LAST = 24  # the block whose class token is the image feature, and whose patches make the maps
COUNTS = ("prompts", "context", "abnormal_context", "selected", "prior_width", "deep_depth")
WEIGHTS = ("image_weight", "pass2_weight", "orthogonality_weight", "prior_weight", "focal_gamma")


@dataclass(frozen=True)
class Options:
    """Settings of FAPrompt.

    `prompts` counts the abnormal sentences. Every sentence begins with the same `context` learned tokens; an abnormal
    one has `abnormal_context` more. `select` says which `selected` patches of an image the prior is computed from: the
    `first` in raster order, as the published code does, or those with the highest score of the first pass, highest
    first (`topk`), as the paper says. `prior_width` is the width of the hidden layer of the prior network.

    `deep_depth` counts the text blocks with learned prompts, including the first, which gets the contexts;
    `deep_length` is the number of tokens of a deep prompt, `deep_half` rounds deep prompts to half precision.
    `value_from` is the block at which the value-value path begins. `cls_norm` puts the class token through CLIP's final
    norm before the projection. `probability_as_logit` passes the image score, a probability, to the focal loss of the
    image as if it were a logit, as the published code does.

    Raises:
        UsageError: a value is out of range or not known.
    """

    select: Literal["first", "topk"] = "first"
    selected: int = 10
    prior_width: int = 480
    prompts: int = 10
    context: int = 5
    abnormal_context: int = 2
    class_word: str = "object"
    damage_word: str = "damaged"
    deep_depth: int = 9
    deep_length: int = 4
    deep_half: bool = True
    value_from: int = 6
    cls_norm: bool = False
    temperature: float = 0.07
    image_weight: float = 1.0
    pass2_weight: float = 0.5
    orthogonality_weight: float = 0.1
    prior_weight: float = 1.0
    probability_as_logit: bool = True
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        if self.select not in ("first", "topk"):
            raise UsageError(f"option 'select' is '{self.select}'; it must be 'first' or 'topk'")
        low = [name for name in COUNTS if getattr(self, name) < 1]
        if low:
            raise UsageError(f"option '{low[0]}' must be positive")
        if not 1 <= self.deep_length <= self.context:
            raise UsageError(
                f"option 'deep_length' is {self.deep_length}; deep prompts take the place of contexts, "
                f"of which there are {self.context}"
            )
        if not 1 <= self.value_from <= LAST:
            raise UsageError(f"option 'value_from' is {self.value_from}; it must lie in 1..{LAST}")
        if self.temperature <= 0:
            raise UsageError("option 'temperature' must be positive")
        negative = [name for name in WEIGHTS if getattr(self, name) < 0]
        if negative:
            raise UsageError(f"option '{negative[0]}' must not be negative")
        if not 0 <= self.focal_smoothing < 0.5:
            raise UsageError("option 'focal_smoothing' must lie in [0, 0.5)")
