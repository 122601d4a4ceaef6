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
    names         the names of metrics in records, tables and commands
    by_class      ClassMetrics: every requested name of one class, batch by batch

**One fact carries all of it.** Every metric here depends on the scores only through, for each
distinct anomalous score s, the number of normal scores above s and the number equal to s. Normal
scores are therefore only counted, ties are counted as ties, and a strictly monotone change of the
scores changes nothing (the 200-threshold variants excepted: their thresholds are spaced by value).

Plain functions return a float, or None where the metric is undefined: without a normal or without an
anomalous sample there is nothing to rank. The accumulators return an `Estimate`, which says why.
Scores are float16, float32 or float64, ties and ±inf included; NaN raises. NumPy alone is needed;
numba comes in when the first region is labelled.
"""

from zsadbench.metrics.by_class import ClassMetrics
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.f1 import f1_max
from zsadbench.metrics.names import DEFAULT_NAMES, MetricName, parse_metric
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.precision import average_precision
from zsadbench.metrics.pro import aupro
from zsadbench.metrics.pro200 import aupro_200, aupro_200_max
from zsadbench.metrics.ranked import image_metrics
from zsadbench.metrics.regions import label_regions
from zsadbench.metrics.roc import image_auroc, pixel_auroc

__all__ = [
    "DEFAULT_NAMES",
    "ClassMetrics",
    "Estimate",
    "MetricName",
    "PixelMetrics",
    "aupro",
    "aupro_200",
    "aupro_200_max",
    "average_precision",
    "f1_max",
    "image_auroc",
    "image_metrics",
    "label_regions",
    "parse_metric",
    "pixel_auroc",
]
