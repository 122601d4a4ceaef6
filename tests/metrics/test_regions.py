"""Regions: against SciPy, at the borders, and without what they need."""

import numpy as np
import pytest
from scipy import ndimage

from zsadbench.metrics import PixelMetrics, aupro, count_regions, label_regions
from zsadbench.metrics.counting.regions_kernel import label_runs

EIGHT = np.ones((3, 3))


def masks():
    rng = np.random.default_rng(11)
    for shape in ((1, 1), (1, 17), (17, 1), (2, 2), (9, 30), (33, 32)):
        for density in (0.05, 0.2, 0.5, 0.8, 1.0):
            yield rng.random(shape) < density
    yield np.zeros((4, 5), bool)
    yield np.zeros((0, 5), bool)
    yield ndimage.gaussian_filter(rng.random((120, 90)), 3) > 0.5


@pytest.mark.parametrize("mask", list(masks()), ids=lambda mask: f"{mask.shape}-{mask.sum()}")
def test_regions_agree_with_scipy(mask):
    labels, number = label_regions(mask)
    expected, expected_number = ndimage.label(mask, EIGHT) if mask.size else (mask.astype(np.int32), 0)
    assert number == expected_number == labels.max(initial=0)
    assert labels.dtype == np.int32
    pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    first = [np.flatnonzero(labels.ravel() == region)[0] for region in range(1, number + 1)]
    assert first == sorted(first)
    assert count_regions(mask) == number
    runs, areas = label_runs(np.ascontiguousarray(mask).view(np.uint8), True)
    assert areas.tolist() == np.bincount(labels.ravel(), minlength=1)[1:].tolist()
    assert labels[mask].tolist() == np.repeat(runs[:, 2] + 1, runs[:, 1] - runs[:, 0]).tolist()


@pytest.mark.parametrize("mask", list(masks()), ids=lambda mask: f"{mask.shape}-{mask.sum()}")
def test_regions_without_corners_agree_with_scipy(mask):
    labels, number = label_regions(mask, connectivity=4)
    expected, expected_number = ndimage.label(mask) if mask.size else (mask.astype(np.int32), 0)
    assert number == expected_number == count_regions(mask, connectivity=4)
    pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_corners_join_and_borders_do_not_wrap():
    assert label_regions(np.eye(5))[1] == 1
    assert label_regions(np.eye(5)[::-1])[1] == 1
    assert label_regions([[0, 0, 1], [1, 0, 0]])[1] == 2
    assert label_regions([[1, 0, 0], [0, 0, 1]])[1] == 2
    assert label_regions([[0, 0, 1], [0, 0, 0], [1, 0, 0]])[1] == 2
    assert label_regions([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]])[1] == 1
    assert label_regions(np.asfortranarray([[1, 1, 0], [0, 0, 0], [0, 1, 1]]))[1] == 2
    with pytest.raises(ValueError, match="height, width"):
        label_regions([1, 0])


def test_a_mask_of_more_than_two_kinds_is_refused():
    for wrong in ([[1, 1, 2]], [[2, 0, 0]], [[1, 0, 255]], [[255, 1, 0]], [[0, 0, 0], [7, 0, 0]]):
        runs, areas = label_runs(np.array(wrong, np.uint8), True)
        assert runs.tolist() == [[0, 0, 0]]
        assert not areas.size
    for right in ([[1, 0, 1]], [[255, 0, 255]], [[0, 0, 0]]):
        assert len(label_runs(np.array(right, np.uint8), True)[1]) == sum(np.array(right[0]) > 0)


def test_connectivity_reaches_aupro():
    mask = np.zeros((1, 9, 9), bool)
    mask[0, [1, 2], [1, 2]] = mask[0, 5, 2:6] = True
    scores = np.zeros(mask.shape)
    scores[0, 1, 1] = 1.0
    eight, four = (aupro(scores, mask, connectivity=number) for number in (8, 4))
    assert eight == pytest.approx(0.25 + 0.75 * 0.15, abs=1e-15)
    assert four == pytest.approx(1 / 3 + 2 / 3 * 0.15, abs=1e-15)
    for mode in ("exact", "stream"):
        found = PixelMetrics(mode=mode, connectivity=4)
        found.update(scores, mask)
        assert found.regions == 3
        assert found.compute()["aupro"].value == pytest.approx(four, abs=1e-15)
    for call in (label_regions, count_regions):
        with pytest.raises(ValueError, match="4 or 8"):
            call(mask[0], connectivity=6)
    with pytest.raises(ValueError, match="4 or 8"):
        aupro(scores, mask, connectivity=1)
    with pytest.raises(ValueError, match="connectivity"):
        PixelMetrics(connectivity=4).merge(PixelMetrics())
