"""Image metrics over objects that were photographed from several views.

Real-IAD (Wang et al., CVPR 2024) takes five views of each object and evaluates objects, its "samples", as well as
single views. An object is anomalous if one of its views is. Its score is the largest score of its views
(`image_auroc@sample`), or their mean (`image_auroc@sample_mean`); these are two different metrics.
"""

from collections.abc import Sequence
from math import fsum

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arrays import Float64s, Int64s
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import MEAN_OF_VIEWS, OVER_SAMPLES, MetricName
from zsadbench.metrics.rank_metrics import image_metrics

NO_VIEWS = "the data set does not show its objects from several sides"


def sample_estimates(
    names: Sequence[MetricName], scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]
) -> dict[str, Estimate]:
    """Record key → estimate, for those of `names` that are taken over samples, and for no other.

    `scores` (n,) floats, higher is more anomalous; `labels` (n,) 0 and 1, 1 is anomalous; `samples` n names of objects,
    empty for an image that belongs to none.

    >>> from zsadbench.metrics.names import parse_metric
    >>> names = [parse_metric("image_auroc@sample"), parse_metric("image_auroc@sample_mean")]
    >>> estimates = sample_estimates(names, [0.1, 0.9, 0.6, 0.6], [0, 1, 0, 0], ["a", "a", "b", "b"])
    >>> {key: estimate.value for key, estimate in estimates.items()}
    {'image_auroc@sample': 1.0, 'image_auroc@sample_mean': 0.0}

    Raises:
        ValueError: the counts differ, a label is neither 0 nor 1, or a score is NaN.
    """
    over_samples = [name for name in names if name.over in OVER_SAMPLES]
    without_object = sum(not sample for sample in samples)
    reason = f"{without_object} images belong to no object" if without_object else ""
    if without_object == len(samples):
        reason = NO_VIEWS
    if reason:
        return {str(name): Estimate.undefined(reason) for name in over_samples}
    by_over = {over: _of_objects(over, scores, labels, samples) for over in {name.over for name in over_samples}}
    return {str(name): by_over[name.over][name.kind] for name in over_samples}


def by_sample(over: str, scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]) -> tuple[Float64s, Int64s]:
    """Scores and labels of the objects, (objects,), sorted by their names; `over` is `sample` or `sample_mean`.

    Raises:
        ValueError: the counts differ, or a score is NaN.
    """
    values, flags = np.asarray(scores, np.float64), np.asarray(labels, np.int64)
    if not values.shape == flags.shape == (len(samples),):
        raise ValueError(f"{values.shape} scores, {flags.shape} labels and {len(samples)} samples do not go together")
    if np.isnan(values).any():
        raise ValueError("a score is NaN")
    objects, index = np.unique(np.asarray(samples, dtype=str), return_inverse=True)
    largest, anomalous = np.full(len(objects), -np.inf), np.zeros(len(objects), np.int64)
    np.maximum.at(largest, index, values)
    np.maximum.at(anomalous, index, flags)
    if over != MEAN_OF_VIEWS:
        return largest, anomalous
    views = np.split(values[np.argsort(index, kind="stable")], np.cumsum(np.bincount(index))[:-1])
    means = [fsum(of_object) / len(of_object) for of_object in views]  # fsum: equal in any order, so ties stay ties
    return np.array(means), anomalous


def _of_objects(over: str, scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]) -> dict[str, Estimate]:
    objects, anomalous = by_sample(over, scores, labels, samples)
    estimates = image_metrics(objects, anomalous)
    if len(set(anomalous.tolist())) == 2:
        return estimates
    return dict.fromkeys(estimates, Estimate.undefined(f"no {'normal' if anomalous[0] else 'anomalous'} object"))
