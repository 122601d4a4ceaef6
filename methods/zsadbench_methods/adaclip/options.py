"""AdaCLIP's options: the parts that the paper ablates, and where paper and code differ.

The defaults are what the published code computes.
"""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

LONGEST = 7  # tokens between the start token and the end token of the shortest sentence


@dataclass(frozen=True)
class Options:
    """Settings of AdaCLIP.

    `layers` are tapped blocks of a 24-block tower with a linear layer each. Prompts of `prompt_length` tokens enter
    the first `prompt_depth` blocks of the towers that `prompted` names; `prompts` are `static` parameters, `dynamic`
    ones computed from the image, or the sum of both (`hybrid`). `prompt_half` rounds them to half precision.

    The feature of the image is mixed with one of its patches, of the share `hsf_share` (hybrid semantic fusion).
    `hsf` takes the mean of the centres of all clusters of the most abnormal patches, as in the published code; the
    mean of the cluster of the highest mean probability among those of all patches, as in the paper
    (`highest_cluster`); or `none`. `clusters` is their number, and `patches_per_cluster` times as many patches are
    clustered. `kmeans_seed` is the seed of k-means, the same for every image.

    `logit_scale` multiplies the cosines, `corners` aligns the corners where maps are enlarged. `dice_by_row` averages
    the dice losses of a batch of one image over the rows of the image, as published.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    prompt_depth: int = 4
    prompt_length: int = 5
    prompted: Literal["both", "vision", "text"] = "both"
    prompts: Literal["hybrid", "static", "dynamic"] = "hybrid"
    prompt_half: bool = True
    hsf: Literal["all_clusters", "highest_cluster", "none"] = "all_clusters"
    hsf_share: float = 0.2
    clusters: int = 20
    patches_per_cluster: int = 5
    kmeans_seed: int = 111
    logit_scale: float = 100.0
    corners: bool = True
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    dice_by_row: bool = True
    position: PositionRule = "bicubic"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        blocks = self.layers
        if not blocks or len(set(blocks)) < len(blocks) or not all(1 <= block <= 24 for block in blocks):
            raise UsageError(f"option 'layers' is {list(blocks)}; it takes distinct blocks of 1..24, at least one")
        object.__setattr__(self, "layers", tuple(sorted(blocks)))
        if self.prompt_depth < 1 or not 1 <= self.prompt_length <= LONGEST:
            raise UsageError(f"option 'prompt_depth' must be positive, and 'prompt_length' from 1 to {LONGEST}")
        if self.clusters < 1 or self.patches_per_cluster < 1 or not 0 <= self.kmeans_seed < 2**32:
            raise UsageError(
                "options 'clusters' and 'patches_per_cluster' must be positive, and 'kmeans_seed' from 0 to 2**32 - 1"
            )
        if self.logit_scale <= 0 or not 0 <= self.hsf_share <= 1:
            raise UsageError("option 'logit_scale' must be positive, and 'hsf_share' from 0 to 1")
        if self.focal_gamma < 0 or not 0 <= self.focal_smoothing < 0.5:
            raise UsageError("option 'focal_gamma' must not be negative, and 'focal_smoothing' from 0 to one half")
