"""Anomaly maps are enlarged and smoothed in one step."""

import numpy as np
import pytest
import torch

from zsadbench.engine.evaluate.maps import enlarge, smooth, start_map


@pytest.fixture
def grids():
    """Three maps of 5 × 7 with values from 0 to 1."""
    return torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))


def finish(grids, size, sigma):
    """Return the anomaly maps of a batch, each computed by itself as in a run."""
    return np.stack([start_map(grids[k : k + 1], size, sigma)() for k in range(len(grids))])


@pytest.mark.parametrize("sigma", [0.5, 4.0, 10.0])
@pytest.mark.parametrize("size", [(70, 70), (33, 90)])
def test_a_map_is_enlarged_bilinearly_then_smoothed(grids, size, sigma):
    in_two_steps = smooth(enlarge(grids, size), sigma)
    maps = finish(grids, size, sigma)
    assert maps.dtype == np.float32
    assert maps.shape == (3, *size)
    assert np.abs(maps - in_two_steps).max() < 1e-6


def test_a_map_does_not_depend_on_its_neighbours_nor_on_an_earlier_call(grids):
    whole = finish(grids, (70, 70), 4.0)
    for k in range(3):
        assert np.array_equal(finish(grids[k : k + 1], (70, 70), 4.0)[0], whole[k])
    with torch.inference_mode():
        assert np.array_equal(finish(grids, (70, 70), 4.0), whole)


@pytest.mark.parametrize("value", [0.3, 1.0, 1e-20, 7e5])
def test_a_constant_map_stays_constant(value):
    maps = finish(torch.full((1, 5, 5), value), (70, 70), 4.0)
    assert len(np.unique(maps)) == 1


def test_large_maps_and_unsmoothed_ones_are_those_of_the_two_steps(grids):
    assert np.array_equal(finish(grids, (70, 70), 0.0), enlarge(grids, (70, 70)))
    full = torch.rand(1, 40, 40)
    assert np.array_equal(finish(full, (40, 40), 4.0), smooth(full.numpy(), 4.0))


def test_nan_is_not_hidden(grids):
    grids[0, 2, 2] = torch.nan
    assert not np.isfinite(finish(grids, (70, 70), 4.0)[0]).all()
    assert np.isfinite(finish(grids, (70, 70), 4.0)[1:]).all()
