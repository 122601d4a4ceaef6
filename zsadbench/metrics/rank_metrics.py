"""What images and pixels share: AUROC, average precision and F1, which need nothing but ranks."""

from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import labelled
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.f1 import f1_max_within
from zsadbench.metrics.precision import average_precision_within
from zsadbench.metrics.roc import auroc_within

RANKED = {"auroc": auroc_within, "ap": average_precision_within, "f1max": f1_max_within}


def image_metrics(scores: ArrayLike, labels: ArrayLike) -> dict[str, Estimate]:
    """Every metric of images by its short name: `auroc`, `ap`, `f1max`.

    `scores` (n,) floats, higher is stranger; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> image_metrics([0.2, 0.7], [0, 1])["auroc"].value
    1.0
    >>> image_metrics([0.2, 0.7], [1, 1])["auroc"].reason
    'no normal image'

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    return ranked_estimates(count(*labelled(scores, labels, ndim=1)), "image")


def ranked_estimates(counts: Counts, unit: str) -> dict[str, Estimate]:
    """Every metric that needs ranks alone; `unit`, "image" or "pixel", goes into the reasons."""
    reason = counts.missing(unit)
    if reason is not None:
        return dict.fromkeys(RANKED, Estimate.undefined(reason))
    return {kind: metric(counts) for kind, metric in RANKED.items()}
