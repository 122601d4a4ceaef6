"""Draw which training images are replaced by mosaics in an epoch, and of what (`Recipe.mosaic`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from zsadbench.data.images.mosaic import Tiles
    from zsadbench.recipe import MosaicRule

MOSAIC_SHARE = 0.2  # the probability that an image is replaced


def draw_mosaics(rows: pd.DataFrame, rule: MosaicRule, generator: np.random.Generator) -> dict[int, Tiles]:
    """Draw the mosaics of an epoch: position of a replaced image → positions of four images of its class.

    Args:
        rows: the manifest of the auxiliary set.
        rule: `by_defect` draws a kind of defect uniformly, normal images being one, then an image of it, four times
            with repetition; `distinct` draws four different images, of a class of less than four with repetition;
            `none` draws nothing.
        generator: decides everything; nothing else decides.
    """
    if rule == "none":
        return {}
    classes, defects = rows["class"].to_numpy(), rows["defect"].to_numpy()
    mosaics = {}
    for position in np.flatnonzero(generator.random(len(rows)) < MOSAIC_SHARE).tolist():
        same = np.flatnonzero(classes == classes[position])
        if rule == "distinct":
            first, second, third, fourth = generator.choice(same, 4, replace=len(same) < 4).tolist()
        else:
            first, second, third, fourth = (_of_some_defect(same, defects[same], generator) for _ in range(4))
        mosaics[position] = (first, second, third, fourth)
    return mosaics


def _of_some_defect(same: NDArray[np.int64], defects: NDArray[np.object_], generator: np.random.Generator) -> int:
    """Draw a kind of defect, then the position of an image of it."""
    defect = generator.choice(sorted(set(defects)))
    return int(generator.choice(same[defects == defect]))
