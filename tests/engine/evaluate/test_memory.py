"""The memory of a class grows with its images by far less than their maps, and with its shards by less than a state."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.metrics.counting import spill_buffer
from zsadbench.metrics.names import DEFAULT_NAMES
from zsadbench.metrics.resampling import tables, values

SIDE = 128
MAP = SIDE * SIDE * 4  # bytes
SHARD = 20  # images


def empty(count):
    names = [f"{number:04}.png" for number in range(count)]
    labels = np.arange(count) % 4 == 0
    rows = pd.DataFrame({"relative": names, "class": "part", "label": labels.astype(int), "view": "", "sample": names})
    rows["defect"] = np.where(labels, "scratch", "good")
    return ClassMeasurement(
        DEFAULT_NAMES, rows, masked=True, pixels=10**11, area_quartiles=(9.0, 99.0, 999.0), thresholds=Thresholds()
    )


def count(measurement, positions):
    for position in positions:
        maps = np.random.default_rng(position).normal(0.5, 0.01, (1, SIDE, SIDE)).astype(np.float32)
        masks = np.zeros(maps.shape, np.uint8)
        masks[0, :9, :9] = position % 4 == 0
        measurement.update(maps.max(axis=(1, 2)), np.array([position]), list(maps), list(masks))
    return measurement


def peak_of(run):
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_hardly_grows_with_the_number_of_images(monkeypatch):
    def run(images):
        count(empty(images), range(images)).result(0, {})

    for module, name, bytes_in_memory in (
        (spill_buffer, "SMALL", 1 << 14),
        (values, "IN_MEMORY", 0),
        (tables, "IN_MEMORY", 0),
    ):
        monkeypatch.setattr(module, name, bytes_in_memory)
    for name in ("OF_SUMS", "OF_PART"):
        monkeypatch.setattr(values, name, 1 << 19)
    run(4)
    few, many = peak_of(lambda: run(100)), peak_of(lambda: run(400))
    assert many - few < 300 * 2000, "per image a row of the table of images, and a name and a score in several places"


def test_maps_are_not_kept():
    def run(images):
        count(empty(images), range(images)).result(0, {})

    run(4)  # compiled kernels and tables are there
    few, many = peak_of(lambda: run(40)), peak_of(lambda: run(240))
    assert many - few < 200 * MAP / 2


@pytest.fixture(scope="module")
def states():
    """The states of shards, as they come from workers."""
    images = 12 * SHARD
    return [count(empty(images), range(start, start + SHARD)).state() for start in range(0, images, SHARD)]


def test_shards_are_merged_one_after_the_other(states):
    def run(shards):
        measurement = empty(shards * SHARD)
        for state in states[:shards]:
            measurement.add_state(state)

    run(1)
    few, many = peak_of(lambda: run(2)), peak_of(lambda: run(12))
    size = sum(array.nbytes for array in states[0].values())
    assert many - few < 10 * size / 2
