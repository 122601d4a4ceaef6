"""AUROC: the probability that an anomalous sample scores higher than a normal one.

Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating
characteristic (ROC) curve", Radiology 143 (1982).

The area under the ROC curve equals the Mann–Whitney statistic: of all pairs of one anomalous and one
normal score, the fraction that is ordered rightly. It is a ratio of two integers, so it is computed
in integers and divided once. Nothing but the order of the scores matters.

Ties count one half. Undefined without a normal or without an anomalous sample.
"""

from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import Images, labelled
from zsadbench.metrics.counting.counts import Counts, count, summed_products
from zsadbench.metrics.counting.in_memory import groups_in_memory
from zsadbench.metrics.estimate import Estimate


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
    counts = groups_in_memory(scores, masks).counts
    return auroc_of(counts) if counts.defined else None


def auroc_of(counts: Counts) -> float:
    """The area from the counts; they must be defined. In a mixed group every pair counts one half."""
    lower = counts.normals - counts.greater - counts.equal
    half_wins = summed_products(counts.anomalous, 2 * lower + counts.equal)
    return half_wins / (2 * counts.normals * counts.anomalies)


def auroc_within(counts: Counts) -> Estimate:
    """The area with its bounds: in a mixed group all pairs may be ordered rightly, or none."""
    value = auroc_of(counts)
    if counts.mixed is None:
        return Estimate.sure(value)
    pairs = summed_products(counts.anomalous[counts.mixed], counts.equal[counts.mixed])
    slack = pairs / (2 * counts.normals * counts.anomalies)
    return Estimate.within(value, value - slack, value + slack)
