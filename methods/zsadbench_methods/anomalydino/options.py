"""AnomalyDINO's options; the defaults are what the published code computes."""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.tokens import Numbering
from zsadbench.types import Activation, PositionRule

ALL = "all"
OF_MVTEC = ("capsule", "hazelnut", "pill", "screw", "toothbrush")
OF_VISA = (
    *("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2"),
    *("pcb1", "pcb2", "pcb3", "pcb4", "pipe_fryum"),
)


@dataclass(frozen=True)
class Options:
    """Settings of AnomalyDINO.

    Attributes:
        layer: the tapped block; by `numbering` of a tower of 24 blocks, of which the last is that of any tower, or the
            encoder's own number.
        numbering: whose number `layer` is.
        final_norm: whether the tokens go through the final norm of the encoder.
        batched: whether an image is compared with all other test images of its class, not with normal images.
        distance: 1 − cos, or the Euclidean distance of raw tokens.
        neighbours: how many nearest patches count.
        masks: how the mask of the foreground is cleaned: along the raster order as `published`, or on the `grid`; `off`
            for no masks.
        masked: words of the classes whose foreground is masked; `all` for every class.
        mask_references: whether the patches of normal images outside their own masks are left out.
        threshold: of the first principal component, on tokens after the final norm.
        border: the share of the grid on either side of its centre window.
        centre_share: the largest share of the centre window that a mask of the wrong sign covers.
        angles: by which every normal image is turned, in degrees; all copies are remembered.
        top_share: the highest share of the patches that the image score averages.
        quantile: of the batched form: the share of the patches of all other images that are near enough to count.

    Raises:
        UsageError: a value is out of range.
    """

    layer: int = 24
    numbering: Numbering = "reference"
    final_norm: bool = True
    batched: bool = False
    distance: Literal["cosine", "euclidean"] = "cosine"
    neighbours: int = 1
    masks: Literal["published", "grid", "off"] = "published"
    masked: tuple[str, ...] = (*OF_MVTEC, *OF_VISA)
    mask_references: bool = False
    threshold: float = 10.0
    border: float = 0.2
    centre_share: float = 0.35
    angles: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
    top_share: float = 0.01
    quantile: float = 0.001
    position: PositionRule = "bicubic_offset"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.layer < 1:
            raise UsageError("options 'neighbours' and 'layer' must be positive")
        if not self.angles or len(set(self.angles)) < len(self.angles):
            raise UsageError("option 'angles' takes at least one angle, each once; 0 leaves the images as they are")
        if not 0 <= self.border < 0.5 or not 0 <= self.centre_share < 1:
            raise UsageError("option 'border' must lie in [0, 0.5), and 'centre_share' in [0, 1)")
        if not 0 < self.top_share <= 1 or not 0 < self.quantile < 1:
            raise UsageError("option 'top_share' must lie in (0, 1], and 'quantile' in (0, 1)")

    def is_masked(self, class_word: str) -> bool:
        """Whether the foreground of a class is masked."""
        word = class_word.replace(" ", "_")
        return self.masks != "off" and (word in self.masked or ALL in self.masked)
