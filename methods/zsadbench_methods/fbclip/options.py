"""FB-CLIP's options: every ablation of the paper, and every place where paper and code differ.

The defaults are what the published code computes.
"""

from collections.abc import Iterable
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

    `layers` are tapped blocks of a 24-block tower. `poolings` and `views` are subsets of what the paper fuses;
    `fb_attention`, `bs` and `scr` switch whole modules. `bs_fraction` is the share of the candidates from which the
    background prototype is computed; `bs_select` takes the candidates from the token sequence (as published) or from
    the patches that the foreground mask calls background (as the text reads). `background_value` is the soft mask of a
    background patch. `image_score` is the class token's probability, or its mean with the largest map value.

    Raises:
        UsageError: a value is out of range or not known.
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
        _check_subset("layers", self.layers, range(1, 25))
        _check_subset("poolings", self.poolings, POOLINGS)
        _check_subset("views", self.views, VIEWS)
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


def _check_subset(option: str, values: tuple[object, ...], allowed: Iterable[object]) -> None:
    known = list(allowed)
    if not values or len(set(values)) < len(values) or not set(values) <= set(known):
        raise UsageError(f"option '{option}' is {list(values)}; it takes distinct values of {known}, at least one")
