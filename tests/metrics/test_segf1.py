"""SegF1: the threshold from normal images, and F1 at it, against slow twins; laws, parts and merging."""

import json
import math
import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsadbench.metrics import ClassMetrics, F1At, MetricName, NormalPixels, PixelMetrics, parse_metric, segf1

LAWS = settings(max_examples=60, deadline=None)
ORACLE = Path(os.environ.get("ZSADBENCH_FIXTURES", "absent")) / "metrics"


def segf1_twin(maps, masks, threshold):
    """The definition, pixel by pixel: true positives, false positives and false negatives over all images."""
    hits = false_alarms = misses = 0
    for anomaly_map, mask in zip(maps, masks, strict=True):
        for score, marked in zip(anomaly_map.ravel(), mask.ravel(), strict=True):
            flagged = score >= threshold
            hits += bool(flagged and marked)
            false_alarms += bool(flagged and not marked)
            misses += bool(not flagged and marked)
    return 2 * hits / (2 * hits + false_alarms + misses)


def threshold_twin(maps):
    """Mean and three standard deviations of all pixels, in fractions."""
    scores = [Fraction(float(score)) for anomaly_map in maps for score in anomaly_map.ravel()]
    mean = sum(scores) / len(scores)
    variance = sum((score - mean) ** 2 for score in scores) / len(scores)
    return float(mean) + 3 * math.sqrt(variance)


@st.composite
def classes(draw):
    """Test maps with masks and normal maps; the first mask has a normal and an anomalous pixel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(2, 5)), draw(st.integers(2, 8)), draw(st.integers(2, 8))
    masks = rng.random(shape) < draw(st.sampled_from([0.05, 0.3, 0.7]))
    masks[0, 0, :2] = True, False
    digits = draw(st.sampled_from([0, 1, 6]))
    maps = (rng.normal(size=shape) + 2 * masks).round(digits).astype(np.float32)
    return maps, masks, rng.normal(size=shape).round(digits).astype(np.float32)


def normal_pixels(maps):
    pixels = NormalPixels()
    pixels.update(maps)
    return pixels


def counted(maps, masks, threshold, mode="exact"):
    """As an evaluation counts: images are read by the accumulator of the class."""
    f1 = F1At(threshold, "pixel")
    f1.take(PixelMetrics(mode=mode).read(maps, masks))
    return f1


@LAWS
@given(classes())
def test_it_is_what_the_definition_says_in_either_form(example):
    maps, masks, normal = example
    threshold = normal_pixels(normal).threshold()
    expected = segf1_twin(maps, masks, np.float32(threshold))
    assert segf1(maps, masks, threshold) == expected
    for mode in ("exact", "stream"):
        found = counted(maps, masks, threshold, mode).compute()
        assert (found.value, found.exact) == (expected, True)


@LAWS
@given(classes())
def test_the_threshold_is_that_of_exact_sums(example):
    *_, normal = example
    assert normal_pixels(normal).threshold() == pytest.approx(threshold_twin(normal), rel=1e-6, abs=1e-6)
    plain = np.float64(normal).mean() + 3 * np.float64(normal).std()
    assert normal_pixels(normal).threshold() == pytest.approx(plain, rel=1e-6, abs=1e-6)


@LAWS
@given(classes(), st.randoms())
def test_neither_order_nor_batches_nor_merging_changes_a_bit(example, random):
    maps, masks, normal = example
    order = list(range(len(maps)))
    random.shuffle(order)
    cut = random.randint(0, len(order))
    one, first, second = normal_pixels(normal), normal_pixels(normal[order[:cut]]), NormalPixels()
    for each in order[cut:]:
        second.update(normal[[each]])
    merged = NormalPixels.from_state(first.state()).merge(NormalPixels.from_state(second.state()))
    assert merged.threshold() == one.threshold()
    assert merged.state()["images"].tobytes() == one.state()["images"].tobytes()
    whole = counted(maps, masks, one.threshold())
    parts = [counted(maps[rows], masks[rows], one.threshold()) for rows in (order[:cut], order[cut:]) if rows]
    again = F1At(one.threshold(), "pixel")
    for part in parts:
        again.merge(F1At.from_state(part.state(), "pixel"))
    assert again.compute() == whole.compute()
    assert again.state()["counts"].tobytes() == whole.state()["counts"].tobytes()


@LAWS
@given(classes(), st.sampled_from([1, -3, 8]), st.sampled_from([0.25, 1.0, 8.0]))
def test_shift_and_scale_of_all_maps_change_nothing(example, shift, scale):
    maps, masks, normal = (np.float64(example[0]).round(1), example[1], np.float64(example[2]).round(1))
    threshold = normal_pixels(normal).threshold()
    if np.abs(maps - threshold).min() < 1e-3:  # rounding may put a score on the other side
        return
    moved = normal_pixels(normal * scale + shift).threshold()
    assert segf1(maps * scale + shift, masks, moved) == segf1(maps, masks, threshold)


def test_a_strictly_monotone_change_moves_the_threshold_with_the_scores():
    rng = np.random.default_rng(4)
    masks = rng.random((4, 9, 9)) < 0.2
    maps = rng.normal(size=masks.shape) + masks
    at = 0.5
    assert segf1(np.exp(maps), masks, math.exp(at)) == segf1(maps, masks, at)
    assert segf1(maps.transpose(0, 2, 1), masks.transpose(0, 2, 1), at) == segf1(maps, masks, at)
    assert segf1(maps, masks, at) != segf1(-maps, masks, at)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="ZSADBENCH_FIXTURES has no metrics")
@pytest.mark.parametrize("name", ["widget", "fabric"])
def test_on_the_fixture_it_is_never_above_the_largest_f1_and_reaches_it(name):
    from safetensors.numpy import load_file

    fixture, tensors = json.loads((ORACLE / "fixture.json").read_text()), load_file(ORACLE / "inputs.safetensors")
    maps, masks = tensors[f"{name}/maps"], tensors[f"{name}/masks"]
    values = [segf1(maps, masks, float(threshold)) for threshold in np.unique(maps[masks == 1])]
    assert max(values) == pytest.approx(fixture["values"][name]["pixel_max_f1"], abs=1e-6)
    threshold = normal_pixels(maps[~masks.any(axis=(1, 2))]).threshold()
    assert segf1(maps, masks, threshold) == segf1_twin(maps, masks, np.float32(threshold)) <= max(values)
    aupro = PixelMetrics()
    aupro.update(maps, masks)
    assert aupro.compute()["aupro"].value == pytest.approx(fixture["values"][name]["aupro_exact"], abs=1e-6)


def test_aupro_at_five_percent_is_the_area_of_the_exact_curve_up_to_there():
    rng = np.random.default_rng(7)
    masks = np.zeros((3, 12, 12), bool)
    masks[0, 2:5, 3:6] = masks[1, 8:10, 1:9] = masks[1, 1, 1] = True
    maps = (rng.normal(size=masks.shape) + 1.5 * masks).round(1).astype(np.float32)
    regions = [(0, np.s_[2:5, 3:6]), (1, np.s_[8:10, 1:9]), (1, np.s_[1:2, 1:2])]
    points = [(0.0, 0.0)]
    for level in np.unique(maps)[::-1]:
        overlap = np.mean([(maps[image][part] >= level).mean() for image, part in regions])
        points.append((float((maps[~masks] >= level).mean()), float(overlap)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= 0.05 or x1 == x0:
            continue
        end = min(x1, 0.05)
        y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + y_end) / 2
    for mode in ("exact", "stream"):
        pixels = PixelMetrics(mode=mode, bits=32)
        pixels.update(maps, masks)
        assert pixels.compute([0.05])["aupro@0.05"].value == pytest.approx(area / 0.05, abs=1e-12)


def test_what_is_undefined_and_what_is_zero():
    assert NormalPixels().threshold() is None
    assert segf1([[0.1, 0.2]], [[0, 0]], 0.5) is None
    assert segf1([[0.1, 0.2]], [[1, 1]], 0.5) is None
    assert segf1([[0.1, 0.2]], [[0, 255]], 0.5) == 0
    assert normal_pixels([np.full((2, 2), 0.25)]).threshold() == 0.25
    with pytest.raises(ValueError, match="NaN"):
        segf1([[np.nan, 0.2]], [[0, 1]], 0.5)
    pixels = normal_pixels([np.zeros((2, 2))])
    for wrong in (np.array([[np.nan]]), np.array([[np.inf]]), np.empty((0, 3))):
        with pytest.raises(ValueError, match="map 1 has no pixel, or one that is not finite"):
            pixels.update([np.ones((2, 2)), wrong])
    assert pixels.threshold() == 0
    for wrong in ({}, {"images": np.zeros((2, 2))}):
        with pytest.raises(ValueError, match="three numbers"):
            NormalPixels.from_state(wrong)


def test_its_name():
    assert parse_metric("pixel_segf1") == MetricName("pixel", "segf1")
    assert str(parse_metric("pixel_segf1")) == "pixel_segf1"
    metrics = ClassMetrics([parse_metric("pixel_segf1"), parse_metric("image_auroc")], masks=False)
    metrics.update([0.1, 0.2], [0, 1])
    assert list(metrics.compute()) == ["image_auroc"]
