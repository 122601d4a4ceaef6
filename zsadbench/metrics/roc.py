"""AUROC: the probability that an anomalous sample scores higher than a normal one.

Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating
characteristic (ROC) curve", Radiology 143 (1982).

The area under the ROC curve equals the Mann–Whitney statistic: of all pairs of one anomalous and one
normal score, the fraction that is ordered rightly. It is a ratio of two integers, so it is computed
in integers and divided once. Nothing but the order of the scores matters.

Ties count one half. Undefined without a normal or without an anomalous sample.
"""

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics._arguments import Images, images, labelled
from zsadbench.metrics._counts import Counts, count


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Area under the ROC curve of image scores, in [0, 1]; None when undefined.

    `scores` (n,) floats, higher is stranger; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> image_auroc([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1])
    0.875

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    counts = count(*labelled(scores, labels, ndim=1))
    return auroc_of(counts) if counts.defined else None


def pixel_auroc(scores: Images, masks: Images) -> float | None:
    """Area under the ROC curve of all pixels of all images together, in [0, 1]; None when undefined.

    `scores` (n, height, width) floats; `masks` of the same shape: boolean, 0 and 1, or 0 and 255. A
    list of two-dimensional arrays serves images of different sizes.

    >>> pixel_auroc([[[0.1, 0.4], [0.4, 0.9]]], [[[0, 0], [1, 1]]])
    0.875

    Raises:
        ValueError: shapes differ, a mask value cannot be right, or a map has a NaN.
    """
    none = np.empty(0, np.float32)
    pairs = [(one[~mask], one[mask]) for one, mask in images(scores, masks)]
    normal = np.concatenate([none, *(pair[0] for pair in pairs)])
    counts = count(normal, np.concatenate([none, *(pair[1] for pair in pairs)]))
    return auroc_of(counts) if counts.defined else None


def auroc_of(counts: Counts) -> float:
    """The area from the counts; they must be defined."""
    lower = counts.normals - counts.greater - counts.equal
    half_wins = int((counts.anomalous * (2 * lower + counts.equal)).sum())
    return half_wins / (2 * counts.normals * counts.anomalies)
