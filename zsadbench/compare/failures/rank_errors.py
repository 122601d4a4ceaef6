"""The error of an image score: the share of images of the other label, in the same class, that it ranks wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def errors_of(images: pd.DataFrame) -> Mapping[str, float | None]:
    """The error of every image, in [0, 1], by path.

    The error of a normal image is the share of the anomalous images of its class that have lower scores, that of an
    anomalous image the share of the normal images that have higher scores. Equal scores count half, so that the mean
    over the images of a label is 1 − AUROC. The error is None where the class has no image of the other label.

    Args:
        images: one row per image, with the columns `path`, `class`, `label` (1 for anomalous) and `score`.
    """
    errors: dict[str, float | None] = {}
    for _, part in images.groupby("class", sort=False):
        scores = {label: part.loc[part["label"] == label, "score"].to_numpy(np.float64) for label in (0, 1)}
        for label in (0, 1):
            paths = part.loc[part["label"] == label, "path"]
            shares = _share_beyond(scores[label], scores[1 - label], above=label == 1)
            errors |= dict(zip(paths, shares, strict=True))
    return errors


def _share_beyond(own: NDArray[np.float64], other: NDArray[np.float64], *, above: bool) -> list[float | None]:
    """The share of `other` above each of `own`, or below it; ties count half."""
    if not len(other):
        return [None] * len(own)
    ordered = np.sort(other)
    below, upto = np.searchsorted(ordered, own, "left"), np.searchsorted(ordered, own, "right")
    ties = (upto - below) / 2
    counts = (len(ordered) - upto if above else below) + ties
    return [float(share) for share in counts / len(ordered)]
