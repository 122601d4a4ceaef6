"""Regions: against SciPy, at the borders, and without what they need."""

import importlib.util
import subprocess
import sys

import numba
import numpy as np
import pytest
from scipy import ndimage

from zsadbench.metrics import label_regions
from zsadbench.metrics.regions import pixel_areas

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
    areas, counted = pixel_areas(mask)
    assert counted == number
    assert areas.tolist() == np.bincount(labels.ravel(), minlength=1)[labels[mask]].tolist()


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


def test_regions_are_found_where_no_cache_can_be_written(monkeypatch):
    compile_it, refused = numba.njit, []

    def njit(*, nogil, cache=False):
        if cache:
            refused.append(nogil)
            raise RuntimeError("cannot cache function: no locator available")
        return compile_it(nogil=nogil)

    monkeypatch.setattr(numba, "njit", njit)
    spec = importlib.util.find_spec("zsadbench.metrics._regions_kernel")
    kernel = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kernel)
    runs = kernel.label_runs(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]], bool))
    assert refused
    assert all(refused)
    assert runs.tolist() == [[0, 1, 0], [2, 3, 0], [4, 5, 0], [9, 11, 1]]


def test_importing_and_ranking_need_numpy_alone():
    code = """
import sys
from zsadbench.metrics import PixelMetrics, image_auroc, parse_metric, pixel_auroc
assert image_auroc([0.1, 0.2], [0, 1]) == pixel_auroc([[[0.1, 0.2]]], [[[0, 1]]]) == 1.0
PixelMetrics().update([[[0.1, 0.2]]], [[[0, 0]]])
heavy = {"numba", "scipy", "torch", "pandas", "sklearn"} & set(sys.modules)
assert not heavy, heavy
PixelMetrics().update([[[0.1, 0.2]]], [[[0, 1]]])
assert "numba" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
