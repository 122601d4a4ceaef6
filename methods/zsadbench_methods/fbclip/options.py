"""FB-CLIP's switches: every ablation of the paper, and every place where paper and code differ.

The defaults are what the published code computes.
"""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

POOLINGS = ("eot", "mean", "attention")
VIEWS = ("id", "sem", "spa")
BASE = {"poolings": ("eot",), "views": ("id",), "fb_attention": False, "bs": False, "scr": False}


@dataclass(frozen=True)
class Options:
    """Settings of FB-CLIP.

    `layers` are tapped blocks of a 24-block tower. `poolings` and `views` are subsets of what the
    paper fuses; `fb_attention`, `bs` and `scr` switch whole modules. `bs_fraction` is the share of
    the token sequence that the background prototype is made from, `bs_select` whether it is taken
    from the sequence (as published) or from the tokens that the foreground mask leaves out (as the
    text reads). `background_value` is what the soft mask gives a background token. `image_score` is
    the class token's probability, or its mean with the largest map value.
    """

    layers: tuple[int, ...] = (1, 6, 12, 18, 24)
    context: int = 12
    class_word: str = "object"
    text_causal: bool = False
    poolings: tuple[str, ...] = POOLINGS
    weight_mean: float = 1.0
    weight_attention: float = 0.5
    weight_eot: float = 0.5
    views: tuple[str, ...] = VIEWS
    foreground_threshold: float = 0.5
    mask_smoothing: bool = True
    background_value: float = 0.5
    sem_weight_by_key: bool = False
    fb_attention: bool = True
    gate: bool = True
    bs: bool = True
    bs_fraction: float = 0.5
    bs_select: Literal["sequence", "mask"] = "sequence"
    bs_mix: float = 0.5
    scr: bool = True
    scr_weight: float = 0.15
    scr_margin: float = 1.0
    focal_gamma: float = 4.0
    dice_weight: float = 0.2
    temperature: float = 0.07
    image_score: Literal["cls", "cls+max"] = "cls"
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        _subset("layers", self.layers, range(1, 25))
        _subset("poolings", self.poolings, POOLINGS)
        _subset("views", self.views, VIEWS)
        object.__setattr__(self, "layers", tuple(sorted(self.layers)))
        object.__setattr__(self, "poolings", tuple(name for name in POOLINGS if name in self.poolings))
        object.__setattr__(self, "views", tuple(name for name in VIEWS if name in self.views))
        if not 0 < self.bs_fraction <= 1:
            raise UsageError(f"option 'bs_fraction' is {self.bs_fraction}; it must lie in (0, 1]")
        if not 0 <= self.background_value <= 1:
            raise UsageError(f"option 'background_value' is {self.background_value}; it must lie in [0, 1]")
        if self.context < 1 or self.temperature <= 0:
            raise UsageError("options 'context' and 'temperature' must be positive")

    @property
    def pooling_weights(self) -> dict[str, float]:
        """The constant weight of each pooling in use."""
        weights = {"eot": self.weight_eot, "mean": self.weight_mean, "attention": self.weight_attention}
        return {name: weights[name] for name in self.poolings}


def _subset(option: str, given: tuple[object, ...], allowed: object) -> None:
    known = list(allowed)  # type: ignore[call-overload]
    if not given or len(set(given)) < len(given) or not set(given) <= set(known):
        raise UsageError(f"option '{option}' is {list(given)}; it takes distinct values of {known}, at least one")
