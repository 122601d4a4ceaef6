"""AUROC: the probability that an anomalous sample scores higher than a normal one.

Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating
characteristic (ROC) curve", Radiology 143 (1982).

The area under the ROC curve equals the Mann–Whitney statistic: the fraction of all pairs of one anomalous and one
normal score in which the anomalous score is higher. It is a ratio of two integers, so it is computed in integers and
divided once. It depends on the order of the scores alone.

Ties count one half. Undefined without a normal or without an anomalous sample.
"""

from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.arrays import Images
from zsadbench.metrics.counting.counts import Counts, count, sum_of_products
from zsadbench.metrics.counting.exact import groups_in_memory
from zsadbench.metrics.estimate import Estimate


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Area under the ROC curve of image scores, in [0, 1]; None if undefined.

    `scores` (n,) floats, higher is more anomalous; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> image_auroc([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1])
    0.875

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    counts = count(*split_by_label(scores, labels, ndim=1))
    return auroc_of(counts) if counts.defined else None


def pixel_auroc(scores: Images, masks: Images) -> float | None:
    """Area under the ROC curve of all pixels of all images together, in [0, 1]; None if undefined.

    `scores` (n, height, width) floats; `masks` of the same shape: boolean, 0 and 1, or 0 and 255. Images of different
    sizes are given as lists of two-dimensional arrays.

    >>> pixel_auroc([[[0.1, 0.4], [0.4, 0.9]]], [[[0, 0], [1, 1]]])
    0.875

    Raises:
        ValueError: shapes differ, a mask value is invalid, or a map has a NaN.
    """
    counts = groups_in_memory(scores, masks).counts
    return auroc_of(counts) if counts.defined else None


def auroc_of(counts: Counts) -> float:
    """Compute the area from counts, which must be defined; in a mixed group every pair counts one half."""
    lower = counts.normals - counts.greater - counts.equal
    half_wins = sum_of_products(counts.anomalous, 2 * lower + counts.equal)
    return half_wins / (2 * counts.normals * counts.anomalies)


def auroc_within(counts: Counts) -> Estimate:
    """Compute the area with bounds: of the pairs within a mixed group, all may be in the right order, or none."""
    value = auroc_of(counts)
    if counts.mixed is None:
        return Estimate.sure(value)
    pairs = sum_of_products(counts.anomalous[counts.mixed], counts.equal[counts.mixed])
    slack = pairs / (2 * counts.normals * counts.anomalies)
    return Estimate.within(value, value - slack, value + slack)
