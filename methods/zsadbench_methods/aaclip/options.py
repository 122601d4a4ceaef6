"""AA-CLIP's options: where paper and code differ, and ablations. The defaults are what the published code computes."""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

SHARES = ("text_share", "image_share", "score_share")


@dataclass(frozen=True)
class Options:
    """Settings of AA-CLIP.

    `layers` are tapped blocks of a 24-block tower with a linear layer each. Adapters follow the first `text_adapters`
    blocks of the text encoder and the first `image_adapters` of the image encoder; `text_share` and `image_share` are
    their weights beside the token that enters. `relu` puts a leaky ReLU after the linear layers of the image.

    In the first stage of training, the image encoder has value-value attention from block `surgery_from` of 24 on:
    across the images of the batch at the same patch as in the published code (`official`), across the patches of one
    image as intended (`vv_tokens`), or nowhere (`none`). `text_layers` says whether the `last` tapped block or `all`
    count in its loss.

    `domain` decides the blur of the maps on the patch grid, and whether the image score has a part of the whole image
    beside the maximum of the map, of the weight `score_share`: `industrial`, or `medical` with the maximum alone.

    `logit_scale` multiplies the cosines of patches, `image_scale` those of the image in the cross-entropy. `corners`
    aligns the corners where maps are enlarged. `augment` transforms images and masks in training.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    text_adapters: int = 3
    image_adapters: int = 6
    text_share: float = 0.1
    image_share: float = 0.1
    relu: bool = False
    surgery: Literal["official", "vv_tokens", "none"] = "official"
    surgery_from: int = 6
    text_layers: Literal["last", "all"] = "last"
    domain: Literal["industrial", "medical"] = "industrial"
    score_share: float = 0.5
    logit_scale: float = 100.0
    image_scale: float = 1.0
    orthogonality_weight: float = 0.1
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    augment: bool = True
    corners: bool = True
    position: PositionRule = "bicubic_antialias"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        blocks = self.layers
        if not blocks or len(set(blocks)) < len(blocks) or not all(1 <= block <= 24 for block in blocks):
            raise UsageError(f"option 'layers' is {list(blocks)}; it takes distinct blocks of 1..24, at least one")
        object.__setattr__(self, "layers", tuple(sorted(blocks)))
        if self.text_adapters < 0 or self.image_adapters < 0 or not 1 <= self.surgery_from <= 24:
            raise UsageError(
                "options 'text_adapters' and 'image_adapters' must not be negative, and 'surgery_from' is a block of "
                "1..24"
            )
        wrong = next((name for name in SHARES if not 0 <= getattr(self, name) <= 1), None)
        if wrong:
            raise UsageError(f"option '{wrong}' is {getattr(self, wrong)}; it takes a number from 0 to 1")
        if self.logit_scale <= 0 or self.image_scale <= 0 or self.orthogonality_weight < 0:
            raise UsageError(
                "options 'logit_scale' and 'image_scale' must be positive, and 'orthogonality_weight' not negative"
            )
        if self.focal_gamma < 0 or not 0 <= self.focal_smoothing < 0.5:
            raise UsageError("option 'focal_gamma' must not be negative, and 'focal_smoothing' from 0 to one half")
