"""How wrong a score is: the share of images of the other label, in the same class, that the image is confused with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def errors_of(images: pd.DataFrame) -> Mapping[str, float | None]:
    """For every path: of a normal image, the share of the anomalous images of its class that score less; of an
    anomalous image, the share of the normal ones that score more. Equal scores count half, so that the mean over the
    images of a label is 1 − AUROC. None where its class has no image of the other label.
    """
    errors: dict[str, float | None] = {}
    for _, part in images.groupby("class", sort=False):
        scores = {label: part.loc[part["label"] == label, "score"].to_numpy(np.float64) for label in (0, 1)}
        for label in (0, 1):
            paths = part.loc[part["label"] == label, "path"]
            found = _confused(scores[label], scores[1 - label], above=label == 1)
            errors |= dict(zip(paths, found, strict=True))
    return errors


def _confused(own: NDArray[np.float64], other: NDArray[np.float64], *, above: bool) -> list[float | None]:
    """The share of `other` above each of `own`, or below it."""
    if not len(other):
        return [None] * len(own)
    ranked = np.sort(other)
    below, upto = np.searchsorted(ranked, own, "left"), np.searchsorted(ranked, own, "right")
    ties = (upto - below) / 2
    counts = (len(ranked) - upto if above else below) + ties
    return [float(share) for share in counts / len(ranked)]
