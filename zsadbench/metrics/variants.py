"""Every published definition of AUPRO, average precision and F1, side by side.

Source: the definitions of `pro`, `pro200`, `precision` and `f1`; the trapezoids of scikit-learn's
`auc(precision_recall_curve(...))`.

Papers publish different numbers of the same maps under the same name. These are the variants, computed exactly:

    pixel_aupro             every score is a threshold; at each limit          pixel_aupro@0.05
    pixel_aupro_4connected  the same, with regions that are connected by edges alone
    pixel_aupro_200         200 thresholds spaced by value, rates stretched from their minimum and maximum
    pixel_aupro_200_max     the same, stretched by the maximum alone
    pixel_ap                precision at each anomalous score, in steps
    pixel_ap_trapezoid      straight lines between the points of the precision–recall curve
    pixel_f1max             the largest F1 at an attained threshold
    pixel_f1max_200         the largest F1 at the 200 thresholds
    pixel_f1max_21          the largest F1 at 21 thresholds spaced by value

A trapezoid assumes precision that no threshold attains; a grid of values misses the thresholds between its points. The
trapezoids start at recall 0 and precision 1, as scikit-learn's do. The 21 thresholds are the lowest score, the highest
and 19 between them; pixels above them (`>`) are flagged, as with the 200.
"""

from typing import NamedTuple

import numpy as np

from zsadbench.metrics.counting.arrays import Images
from zsadbench.metrics.counting.counts import Counts
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, parse_metric
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.pro200 import Curve200, kept_rates

LIMITS = (DEFAULT_LIMIT, 0.05, 1.0)
COARSE = 10  # every tenth of the 200 thresholds gives 20 of the 21; no pixel scores above the last, the highest score
AUPROS = ("pixel_aupro", "pixel_aupro_200", "pixel_aupro_200_max")
EDGES = "pixel_aupro_4connected"
OTHERS = ("pixel_ap", "pixel_ap_trapezoid", "pixel_f1max", "pixel_f1max_200", "pixel_f1max_21")
NAMES = (*(str(parse_metric(f"{name}@{limit}")) for name in AUPROS for limit in LIMITS), EDGES, *OTHERS)
AGAINST = {  # each variant → the exact metric that is published under the same name
    **{str(parse_metric(f"pixel_aupro@{limit}")): "pixel_aupro" for limit in LIMITS[1:]},
    **{
        str(parse_metric(f"{name}@{limit}")): str(parse_metric(f"pixel_aupro@{limit}"))
        for name in AUPROS[1:]
        for limit in LIMITS
    },
    EDGES: "pixel_aupro",
    **{name: name.rsplit("_", 1)[0] for name in OTHERS if name.count("_") > 1},
}


class Span(NamedTuple):
    """The false positive rates below a limit that the 200-threshold variants use.

    `least` and `greatest` are the rates that are stretched; `kept` of all `thresholds` have a rate below the limit.
    """

    least: float
    greatest: float
    kept: int
    thresholds: int


class Variants(NamedTuple):
    """The variants of one class: estimates by the `NAMES`, and spans by limit, None if no threshold is kept."""

    values: dict[str, Estimate]
    spans: dict[float, Span | None]


class VariantMetrics:
    """Every variant of the pixel metrics of one class; images come in batches, every score is kept.

    >>> metrics = VariantMetrics()
    >>> metrics.update(np.array([[[0.1, 0.4], [0.4, 0.9]]]), np.array([[[0, 0], [1, 1]]]))
    >>> estimates = metrics.compute().values
    >>> round(estimates["pixel_ap"].value, 4), round(estimates["pixel_ap_trapezoid"].value, 4)
    (0.8333, 0.9167)
    """

    def __init__(self) -> None:
        self._eight_connected, self._four_connected = PixelMetrics(), PixelMetrics(connectivity=4)

    def update(self, scores: Images, masks: Images) -> None:
        """Add one batch; arguments and errors are those of `PixelMetrics.update`."""
        self._eight_connected.update(scores, masks)
        self._four_connected.update(scores, masks)

    def compute(self) -> Variants:
        """The variants of all images so far."""
        groups, curve = self._eight_connected.tables()
        estimates = {f"pixel_{name}": value for name, value in self._eight_connected.compute(LIMITS).items()}
        estimates[EDGES] = self._four_connected.compute()["aupro"]
        reason = groups.counts.undefined_reason("pixel")
        undefined = Estimate.undefined(reason or "")
        estimates["pixel_ap_trapezoid"] = undefined if reason else Estimate.sure(trapezoid_of(groups.counts))
        estimates["pixel_f1max_200"] = f1_at(curve, groups.counts)
        estimates["pixel_f1max_21"] = f1_at(curve, groups.counts, COARSE)
        return Variants({name: estimates[name] for name in NAMES}, {limit: span_at(curve, limit) for limit in LIMITS})


def trapezoid_of(counts: Counts) -> float:
    """Area under the precision–recall curve by trapezoids; the counts must be defined, and groups of single scores."""
    detected = counts.detected
    before = detected - counts.anomalous
    above = counts.greater  # normal scores that are flagged before the first anomalous one of a group
    start = np.where(above > 0, before / np.maximum(before + above, 1), 1.0)
    end = detected / (detected + counts.greater + counts.equal)
    return float((counts.anomalous * (start + end)).sum()) / (2 * counts.anomalies)


def f1_at(curve: Curve200, counts: Counts, every: int = 1) -> Estimate:
    """The largest F1 at each `every`th threshold of a curve without bounds."""
    if curve.reason is not None:
        return Estimate.undefined(curve.reason)
    detected = np.rint(curve.recall[0][::every] * counts.anomalies)  # back to whole pixels
    flagged = detected + np.rint(curve.fpr[0][::every] * counts.normals)
    return Estimate.sure(float((2 * detected / (flagged + counts.anomalies)).max()))


def span_at(curve: Curve200, limit: float) -> Span | None:
    """The rates that the 200 thresholds have below a limit; None if no threshold is kept."""
    kept = kept_rates(curve, limit)
    return Span(float(kept.min()), float(kept.max()), int(kept.size), curve.fpr[0].size) if kept.size else None
