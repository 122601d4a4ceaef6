"""Image metrics over objects that were photographed from several sides.

Real-IAD (Wang et al., CVPR 2024) takes five views of each object and judges objects, its "samples", as well as
single views: an object is anomalous when one of its views is. Its score is the largest of its views' scores
(`image_auroc@sample`), or their mean (`image_auroc@sample_mean`); each is a metric of its own.
"""

from collections.abc import Sequence
from math import fsum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import MEAN_OF_VIEWS, OVER_SAMPLES, MetricName
from zsadbench.metrics.rank_metrics import image_metrics

NO_VIEWS = "the data set does not show its objects from several sides"


def sample_estimates(
    names: Sequence[MetricName], scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]
) -> dict[str, Estimate]:
    """Record key → estimate, for those of `names` that are taken over samples, and for no other.

    `scores` (n,) floats, higher is stranger; `labels` (n,) 0 and 1, 1 is anomalous; `samples` n names of objects,
    empty where an image belongs to none.

    >>> from zsadbench.metrics.names import parse_metric
    >>> wanted = [parse_metric("image_auroc@sample"), parse_metric("image_auroc@sample_mean")]
    >>> found = sample_estimates(wanted, [0.1, 0.9, 0.6, 0.6], [0, 1, 0, 0], ["a", "a", "b", "b"])
    >>> {key: one.value for key, one in found.items()}
    {'image_auroc@sample': 1.0, 'image_auroc@sample_mean': 0.0}

    Raises:
        ValueError: the counts differ, a label is neither 0 nor 1, or a score is NaN.
    """
    wanted = [name for name in names if name.over in OVER_SAMPLES]
    reason = _why_none(samples)
    if reason:
        return {str(name): Estimate.undefined(reason) for name in wanted}
    found = {over: _over(over, scores, labels, samples) for over in {name.over for name in wanted}}
    return {str(name): found[name.over][name.kind] for name in wanted}


def by_sample(
    over: str, scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores and labels of the objects, sorted by their names; `over` is `sample` or `sample_mean`.

    Raises:
        ValueError: the counts differ, or a score is NaN.
    """
    values, flags = np.asarray(scores, np.float64), np.asarray(labels, np.int64)
    if not values.shape == flags.shape == (len(samples),):
        raise ValueError(f"{values.shape} scores, {flags.shape} labels and {len(samples)} samples do not go together")
    if np.isnan(values).any():
        raise ValueError("a score is NaN")
    objects, place = np.unique(np.asarray(samples, dtype=str), return_inverse=True)
    largest, anomalous = np.full(len(objects), -np.inf), np.zeros(len(objects), np.int64)
    np.maximum.at(largest, place, values)
    np.maximum.at(anomalous, place, flags)
    if over != MEAN_OF_VIEWS:
        return largest, anomalous
    views = np.split(values[np.argsort(place, kind="stable")], np.cumsum(np.bincount(place))[:-1])
    return np.array([fsum(one) / len(one) for one in views]), anomalous  # fsum: in any order the same, so ties stay


def _over(over: str, scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]) -> dict[str, Estimate]:
    objects, anomalous = by_sample(over, scores, labels, samples)
    found = image_metrics(objects, anomalous)
    if len(set(anomalous.tolist())) == 2:
        return found
    return dict.fromkeys(found, Estimate.undefined(f"no {'normal' if anomalous[0] else 'anomalous'} object"))


def _why_none(samples: Sequence[str]) -> str:
    """Why there is nothing to take over samples; empty where there is."""
    lonely = sum(not sample for sample in samples)
    if lonely == len(samples):
        return NO_VIEWS
    return f"{lonely} images belong to no object" if lonely else ""
