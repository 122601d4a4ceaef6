"""AUROC, average precision and largest F1 together: the metrics of images and pixels that depend on ranks alone."""

from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.f1 import f1_max_within
from zsadbench.metrics.precision import average_precision_within
from zsadbench.metrics.roc import auroc_within

METRICS = {"auroc": auroc_within, "ap": average_precision_within, "f1max": f1_max_within}


def image_metrics(scores: ArrayLike, labels: ArrayLike) -> dict[str, Estimate]:
    """Every metric of images by its short name: `auroc`, `ap`, `f1max`.

    `scores` (n,) floats, higher is more anomalous; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> image_metrics([0.2, 0.7], [0, 1])["auroc"].value
    1.0
    >>> image_metrics([0.2, 0.7], [1, 1])["auroc"].reason
    'no normal image'

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    return rank_estimates(count(*split_by_label(scores, labels, ndim=1)), "image")


def rank_estimates(counts: Counts, unit: str) -> dict[str, Estimate]:
    """Every rank metric by its short name; `unit`, "image" or "pixel", is named in the reason of an undefined one."""
    reason = counts.undefined_reason(unit)
    if reason is not None:
        return dict.fromkeys(METRICS, Estimate.undefined(reason))
    return {kind: metric(counts) for kind, metric in METRICS.items()}
