"""Every variant of AUPRO, average precision and F1 that is published under one name, side by side.

Source: the definitions of `pro`, `pro200`, `precision` and `f1`; the trapezoids of scikit-learn's
`auc(precision_recall_curve(...))`.

The same maps get other numbers by the same name. Here they stand beside each other, all of them exact:

    pixel_aupro             every score is a threshold; at each limit          pixel_aupro@0.05
    pixel_aupro_4connected  the same, with regions that touch by edges alone
    pixel_aupro_200         200 thresholds spaced by value, rates stretched from their minimum and maximum
    pixel_aupro_200_max     the same, stretched by the maximum alone
    pixel_ap                precision at each anomalous score, in steps
    pixel_ap_trapezoid      straight lines between the points of the precision–recall curve
    pixel_f1max             the largest F1 at an attained threshold
    pixel_f1max_200         the largest F1 at the 200 thresholds
    pixel_f1max_21          the largest F1 at 21 thresholds spaced by value

A trapezoid promises precision that no threshold delivers; a grid of values misses thresholds between its own.
The trapezoids start at recall 0 and precision 1, as scikit-learn's do. The 21 thresholds are the lowest score, the
highest and 19 between them; they, too, flag what is above them (`>`).
"""

from typing import NamedTuple

import numpy as np

from zsadbench.metrics.counting.arguments import Images
from zsadbench.metrics.counting.counts import Counts
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, parse_metric
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.pro200 import Curve, number_kept, span_of

LIMITS = (DEFAULT_LIMIT, 0.05, 1.0)
COARSE = 10  # every tenth of the 200 thresholds makes 20 of the 21; nothing lies above the last, the highest score
AUPROS = ("pixel_aupro", "pixel_aupro_200", "pixel_aupro_200_max")
EDGES = "pixel_aupro_4connected"
OTHERS = ("pixel_ap", "pixel_ap_trapezoid", "pixel_f1max", "pixel_f1max_200", "pixel_f1max_21")
NAMES = (*(str(parse_metric(f"{name}@{limit}")) for name in AUPROS for limit in LIMITS), EDGES, *OTHERS)
AGAINST = {  # each variant → the exact number that it goes by the same name as
    **{str(parse_metric(f"pixel_aupro@{limit}")): "pixel_aupro" for limit in LIMITS[1:]},
    **{
        str(parse_metric(f"{name}@{one}")): str(parse_metric(f"pixel_aupro@{one}"))
        for name in AUPROS[1:]
        for one in LIMITS
    },
    EDGES: "pixel_aupro",
    **{name: name.rsplit("_", 1)[0] for name in OTHERS if name.count("_") > 1},
}


class Span(NamedTuple):
    """What the 200-threshold variants see of the false positive rates below a limit.

    `least` and `greatest` are the rates that are stretched, `kept` is how many thresholds lie below the limit, of
    `thresholds` in all.
    """

    least: float
    greatest: float
    kept: int
    thresholds: int


class Variants(NamedTuple):
    """The variants of one class: estimates by the `NAMES`, and spans by limit, None where no threshold is kept."""

    values: dict[str, Estimate]
    spans: dict[float, Span | None]


class VariantMetrics:
    """Every variant of the pixel metrics of one class; images come in batches, every score is kept.

    >>> metrics = VariantMetrics()
    >>> metrics.update(np.array([[[0.1, 0.4], [0.4, 0.9]]]), np.array([[[0, 0], [1, 1]]]))
    >>> found = metrics.compute().values
    >>> round(found["pixel_ap"].value, 4), round(found["pixel_ap_trapezoid"].value, 4)
    (0.8333, 0.9167)
    """

    def __init__(self) -> None:
        self._corners, self._edges = PixelMetrics(), PixelMetrics(connectivity=4)

    def update(self, scores: Images, masks: Images) -> None:
        """Take in one batch; arguments and errors are those of `PixelMetrics.update`."""
        self._corners.update(scores, masks)
        self._edges.update(scores, masks)

    def compute(self) -> Variants:
        """The variants of everything seen."""
        groups, curve = self._corners.tables()
        found = {f"pixel_{name}": one for name, one in self._corners.compute(LIMITS).items()}
        found[EDGES] = self._edges.compute()["aupro"]
        reason = groups.counts.missing("pixel")
        missing = Estimate.undefined(reason or "")
        found["pixel_ap_trapezoid"] = missing if reason else Estimate.sure(trapezoid_of(groups.counts))
        found["pixel_f1max_200"] = f1_at(curve, groups.counts)
        found["pixel_f1max_21"] = f1_at(curve, groups.counts, COARSE)
        return Variants({name: found[name] for name in NAMES}, {limit: span_at(curve, limit) for limit in LIMITS})


def trapezoid_of(counts: Counts) -> float:
    """The area under the precision–recall curve by trapezoids; the counts must be defined, and of single scores."""
    detected = counts.detected
    before = detected - counts.anomalous
    above = counts.greater  # normal scores that are flagged before the first anomalous one of a group is
    start = np.where(above > 0, before / np.maximum(before + above, 1), 1.0)
    end = detected / (detected + counts.greater + counts.equal)
    return float((counts.anomalous * (start + end)).sum()) / (2 * counts.anomalies)


def f1_at(curve: Curve, counts: Counts, every: int = 1) -> Estimate:
    """The largest F1 at each `every`th threshold of a curve that has no bounds."""
    if curve.reason is not None:
        return Estimate.undefined(curve.reason)
    hits = np.rint(curve.recall[0][::every] * counts.anomalies)  # back to whole pixels
    flagged = hits + np.rint(curve.fpr[0][::every] * counts.normals)
    return Estimate.sure(float((2 * hits / (flagged + counts.anomalies)).max()))


def span_at(curve: Curve, limit: float) -> Span | None:
    """What the 200 thresholds see below a limit; None where no threshold is kept."""
    rates = span_of(curve, limit)
    return None if rates is None else Span(*rates, number_kept(curve, limit), curve.fpr[0].size)
