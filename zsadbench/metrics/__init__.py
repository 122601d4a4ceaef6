"""Metrics: how well scores rank anomalous samples above normal ones, in images and in pixels.

Metrics, a module each, with source, idea and conventions:

    roc           AUROC of images and of pixels
    precision     average precision
    f1            the largest F1 over all thresholds
    pro           AUPRO, exact: every score is a threshold; the curve is interpolated at the limit here (`_areas_up_to`)
    pro200        AUPRO as most repositories publish it, from 200 thresholds, without interpolation at the limit
    at_threshold  F1 at a threshold that was chosen on other images
    samples       the metrics of images over objects photographed from several views
    regions       the regions of a mask: pixels connected by edges and corners
    curves        ROC, precision–recall and PRO curves at a bounded number of points
    overlaps      the overlap of every region at fixed false positive rates
    intervals     how far metrics would move with other images: bootstrap intervals, and differences of two methods
    variants      every published definition of AUPRO, AP and F1, side by side
    variants_known  checks the variants on five detectors whose values are known

Accumulators, which take images in batches:

    rank_metrics  AUROC, average precision and F1 of images or pixels at once
    pixels        PixelMetrics: every pixel metric of one class
    by_class      ClassMetrics: every requested metric of one class, of images and of pixels
    subsets       Subsets: the metrics of the parts of a class, such as defect types, views and area quartiles
    details       ClassDetails: parts, curves, regions and intervals of one class, in the same pass

Names and values:

    names         the names of metrics in records, tables and commands
    estimate      Estimate: a value with certified bounds, or none with the reason

Machinery:

    counting/     reads images, keeps or streams their scores, counts them in threads (numba)

**Every metric here is a function of the same counts:** for each distinct anomalous score s, the number of normal scores
above s and the number equal to s. Normal scores are therefore only counted, ties are counted as ties, and a strictly
monotone change of the scores changes nothing (except the 200-threshold variants, whose thresholds are spaced by value).

Plain functions return a float, or None if the metric is undefined: without a normal or without an anomalous sample
there is nothing to rank. Accumulators return an `Estimate`, which gives the reason, and bounds between which the exact
value lies. Scores are float16, float32 or float64, ties and ±inf included; NaN raises a ValueError. Image metrics need
NumPy alone; numba is imported when the first pixel is read, and its machine code is cached (`counting.compiled`).
"""

from zsadbench.metrics.at_threshold import F1At, NormalPixels, best_threshold, best_threshold_of, segf1
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

Spread, area_edges = BootstrapCounts, area_quartiles  # second names, as in earlier versions

__all__ = [
    "DEFAULT_NAMES",
    "BootstrapCounts",
    "ClassDetails",
    "ClassMetrics",
    "Details",
    "Estimate",
    "F1At",
    "MetricName",
    "NormalPixels",
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
    "segf1",
]
