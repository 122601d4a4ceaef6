"""The metrics against their definitions: every threshold by brute force, in fractions of integers."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from sklearn import metrics as sk

from zsadbench import metrics
from zsadbench.metrics import PixelMetrics
from zsadbench.metrics.pro200 import thresholds

LEVELS = [-np.inf, -2.5, -1e-30, -0.0, 0.0, 1e-30, 0.25, 0.5, 1.0, 3e38, np.inf]


def flood(mask):
    """Sets of (y, x): the 8-connected regions of one mask."""
    left = {(y, x) for y, x in product(*map(range, mask.shape)) if mask[y, x]}
    regions = []
    while left:
        edge = [left.pop()]
        region = set(edge)
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy, dx in product((-1, 0, 1), repeat=2)} & left
            left -= near
            region |= near
            edge += near
        regions.append(region)
    return regions


def oracle(maps, masks, limit=0.3):
    """All four metrics, word for word."""
    pixels = [
        (s, bool(m)) for one, mask in zip(maps, masks, strict=True) for s, m in zip(one.flat, mask.flat, strict=True)
    ]
    normal = [s for s, m in pixels if not m]
    anomalous = [s for s, m in pixels if m]
    regions = [[one[y, x] for y, x in r] for one, mask in zip(maps, masks, strict=True) for r in flood(mask)]
    wins = sum(Fraction(int(a > n) * 2 + int(a == n), 2) for a in anomalous for n in normal)
    points, precision, f1 = [(Fraction(0), Fraction(0))], [(Fraction(0), Fraction(0))], []
    for t in sorted({s for s, _ in pixels}, reverse=True):
        tp, fp = sum(s >= t for s in anomalous), sum(s >= t for s in normal)
        overlap = sum(Fraction(int(sum(s >= t for s in r)), len(r)) for r in regions) / len(regions)
        points.append((Fraction(int(fp), len(normal)), overlap))
        recall, exactness = Fraction(int(tp), len(anomalous)), Fraction(int(tp), int(tp + fp))
        precision.append((recall, exactness))
        f1.append(2 * exactness * recall / (exactness + recall) if tp else Fraction(0))
    area, end = Fraction(0), Fraction(limit)
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < end and x1 > x0:
            stop = min(x1, end)
            y_stop = y0 + (y1 - y0) * (stop - x0) / (x1 - x0)
            area += (stop - x0) * (y0 + y_stop) / 2
    return {
        "auroc": float(wins / (len(anomalous) * len(normal))),
        "ap": float(sum((r1 - r0) * p for (r0, _), (r1, p) in pairwise(precision))),
        "f1max": float(max(f1)),
        "aupro": float(area / end),
    }


def published(maps, masks, limit=0.3):
    """The loop of `cal_pro_score` and `compute_pro`: (thresholds, minmax, max)."""
    low, high = maps.min(), maps.max()
    rows = []
    for threshold in np.arange(low, high, (high - low) / 200):
        flagged = maps > threshold
        overlaps = []
        for one, mask in zip(flagged, masks, strict=True):
            labels, number = ndimage.label(mask, np.ones((3, 3)))
            overlaps += [one[labels == k].mean() for k in range(1, number + 1)]
        rows.append(((flagged & ~masks).sum() / (~masks).sum(), np.mean(overlaps)))
    fpr, pro = np.array([row for row in rows if row[0] < limit]).T
    minmax = sk.auc((fpr - fpr.min()) / (fpr.max() - fpr.min()), pro)
    return len(rows), minmax, sk.auc(fpr / fpr.max(), pro)


def make(seed, shape=(6, 20, 24), anomalous=0.2, digits=None, dtype=np.float32):
    rng = np.random.default_rng(seed)
    masks = ndimage.uniform_filter(rng.random(shape), (0, 3, 3)) < np.quantile(rng.random(999), anomalous) * 0.5 + 0.25
    maps = rng.normal(size=shape) + 1.2 * masks
    return (maps if digits is None else maps.round(digits)).astype(dtype), masks


@st.composite
def small_classes(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)))
    masks = draw(hnp.arrays(np.bool_, shape))
    masks.flat[draw(st.integers(0, masks.size - 1))] = True
    masks.flat[draw(st.integers(0, masks.size - 1))] = False
    assume(masks.any() and not masks.all())
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    levels = draw(st.lists(st.sampled_from(LEVELS), min_size=1, max_size=8))
    maps = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, len(levels) - 1)))
    return np.array(levels, dtype)[maps], masks


@settings(max_examples=150, deadline=None)
@given(small_classes(), st.sampled_from([0.01, 0.05, 0.3, 0.5, 1.0]))
def test_small_classes_agree_with_the_definition(example, limit):
    maps, masks = example
    metrics_of_class = PixelMetrics(limit)
    metrics_of_class.update(maps, masks)
    found = metrics_of_class.compute()
    for name, value in oracle(maps, masks, limit).items():
        assert found[name].value == pytest.approx(value, abs=1e-12, rel=0), name
    assert metrics_of_class.regions == sum(len(flood(mask)) for mask in masks)


@pytest.mark.parametrize("digits", [None, 0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_larger_classes_agree_with_the_definition(digits, dtype):
    maps, masks = make(7, (2, 12, 13), digits=digits, dtype=dtype)
    expected = oracle(maps, masks)
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    found = {name: accumulator.compute()[name].value for name in expected}
    assert found == pytest.approx(expected, abs=1e-12, rel=0)
    assert 0.2 < expected["aupro"] < 0.8  # neither trivially good nor bad
    assert metrics.aupro(maps, masks) == found["aupro"]
    assert metrics.pixel_auroc(maps, masks) == found["auroc"]
    assert metrics.average_precision(maps, masks) == found["ap"]
    assert metrics.f1_max(maps, masks) == found["f1max"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [None, 1])
def test_ranked_metrics_agree_with_scikit_learn(seed, digits):
    maps, masks = make(seed, digits=digits)
    scores, labels = maps.ravel(), masks.ravel()
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    expected = {
        "auroc": sk.roc_auc_score(labels, scores),
        "ap": sk.average_precision_score(labels, scores),
        "f1max": np.max(2 * precision * recall / (precision + recall + 1e-300)),
    }
    found = {name: estimate.value for name, estimate in metrics.image_metrics(scores, labels).items()}
    assert found == pytest.approx(expected, abs=1e-12, rel=0)
    assert found["auroc"] == metrics.image_auroc(scores, labels) == metrics.pixel_auroc(maps, masks)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("limit", [0.05, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_200_thresholds_agree_with_the_published_loop(seed, limit, dtype):
    maps, masks = make(seed, (3, 16, 17), digits=[None, 2, 1][seed % 3], dtype=dtype)
    compare_with_published(maps, masks, limit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [0.25, 0.5])
def test_200_thresholds_that_are_scores_agree_with_the_published_loop(seed, limit):
    rng = np.random.default_rng(seed)
    masks = np.zeros((1, 40, 20), bool)
    masks[0, 20:, ::2] = True
    maps = rng.integers(100, 200, masks.shape).astype(np.float32)
    maps[0, 20, 0] = 200
    # 600 normal scores: rates of exactly 0.125, 0.25 and 0.5; with 0 and 200, thresholds are 0, 1, …, 199.
    maps[~masks] = np.repeat([190, 180, 120, 50, 0], [75, 75, 150, 200, 100])
    compare_with_published(maps, masks, limit)


def compare_with_published(maps, masks, limit):
    number, minmax, by_max = published(maps, masks, limit)
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    found = accumulator.compute([limit])
    assert len(thresholds(maps.min(), maps.max())) == number
    assert found[f"aupro_200@{limit}"].value == pytest.approx(minmax, abs=1e-12, rel=0)
    assert found[f"aupro_200_max@{limit}"].value == pytest.approx(by_max, abs=1e-12, rel=0)
    assert metrics.aupro_200(maps, masks, limit) == found[f"aupro_200@{limit}"].value
    assert metrics.aupro_200_max(maps, masks, limit) == found[f"aupro_200_max@{limit}"].value
    assert abs(minmax - metrics.aupro(maps, masks, limit)) > 1e-6  # the definitions do differ
