"""The metrics: how well scores rank anomalies above normality, in images and in pixels.

    estimate      Estimate: a number with certified bounds, or none with the reason
    roc           AUROC                          ─┐
    precision     average precision               ├ of images and of pixels, by ranks alone
    f1            the largest F1                 ─┘
    pro           AUPRO, exactly
    pro200        AUPRO as most repositories publish it, from 200 thresholds
    regions       the 8-connected regions of a mask
    ranked        the metrics of images; what images and pixels share
    pixels        PixelMetrics: the accumulator of one class
    exact         … keeping every score, spilled to a file beyond a budget
    stream        … counting scores by their upper bits, with certified bounds
    curves        ROC, precision–recall and PRO at a bounded number of points
    overlaps      region by region: what is found at fixed rates of false alarms
    variants      everything that is published as AUPRO, AP or F1, side by side; variants_known checks it
    subsets       defect types, views, quartiles of region areas, in one pass
    intervals     how far metrics would move with other images
    names         the names of metrics in records, tables and commands
    at_threshold  F1 at a threshold that was chosen on other images
    details       ClassDetails: parts, curves, regions and intervals of one class, in the same pass
    samples       the metrics of images over objects seen from several sides
    by_class      ClassMetrics: every requested name of one class, batch by batch

**One fact carries all of it.** Every metric here depends on the scores only through, for each
distinct anomalous score s, the number of normal scores above s and the number equal to s. Normal
scores are therefore only counted, ties are counted as ties, and a strictly monotone change of the
scores changes nothing (the 200-threshold variants excepted: their thresholds are spaced by value).

Plain functions return a float, or None where the metric is undefined: without a normal or without an
anomalous sample there is nothing to rank. The accumulators return an `Estimate`, which says why, and within
which bounds the exact value lies. Scores are float16, float32 or float64, ties and ±inf included; NaN raises.
NumPy alone is needed for images; numba comes in when the first pixel is read, and its machine code is kept
(`_compiled`).
"""

from zsadbench.metrics.at_threshold import F1At, best_threshold, best_threshold_of
from zsadbench.metrics.by_class import ClassMetrics, mode_for
from zsadbench.metrics.details import ClassDetails, Details
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.f1 import f1_max
from zsadbench.metrics.intervals import BootstrapCounts, differences, interval, mean_of
from zsadbench.metrics.names import DEFAULT_NAMES, MetricName, parse_metric
from zsadbench.metrics.overlaps import RegionOverlaps
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.precision import average_precision
from zsadbench.metrics.pro import aupro
from zsadbench.metrics.pro200 import aupro_200, aupro_200_max
from zsadbench.metrics.rank_metrics import image_metrics
from zsadbench.metrics.regions import count_regions, label_regions
from zsadbench.metrics.roc import image_auroc, pixel_auroc
from zsadbench.metrics.samples import by_sample, sample_estimates
from zsadbench.metrics.subsets import Subsets, area_quartiles

Spread, area_edges = BootstrapCounts, area_quartiles  # their names in earlier versions

__all__ = [
    "DEFAULT_NAMES",
    "BootstrapCounts",
    "ClassDetails",
    "ClassMetrics",
    "Details",
    "Estimate",
    "F1At",
    "MetricName",
    "PixelMetrics",
    "RegionOverlaps",
    "Spread",
    "Subsets",
    "area_edges",
    "area_quartiles",
    "aupro",
    "aupro_200",
    "aupro_200_max",
    "average_precision",
    "best_threshold",
    "best_threshold_of",
    "by_sample",
    "count_regions",
    "differences",
    "f1_max",
    "image_auroc",
    "image_metrics",
    "interval",
    "label_regions",
    "mean_of",
    "mode_for",
    "parse_metric",
    "pixel_auroc",
    "sample_estimates",
]
