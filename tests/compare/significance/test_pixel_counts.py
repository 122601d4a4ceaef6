"""Bootstrap from counts of pixels: equal to the one in `metrics`, with the same draws for all methods."""

import zlib

import numpy as np
import pytest

from zsadbench.compare import Board
from zsadbench.compare.significance.pair import pairings
from zsadbench.compare.significance.pixel_counts import PixelCounts
from zsadbench.metrics.intervals import BootstrapCounts, differences
from zsadbench.records.sidecars import SPREAD, write_arrays

NAMES = [f"{number}.png" for number in range(8)]
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
MASKS = np.zeros((8, 12, 12), bool)
MASKS[4:, 3:7, 3:7] = True


def counts_of(seed, names=NAMES):
    rng = np.random.default_rng(seed)
    maps = (MASKS * rng.uniform(0, 2, (8, 1, 1)) + rng.normal(0, 1, MASKS.shape)).astype(np.float32)
    counts = BootstrapCounts()
    counts.update(names, maps.max((1, 2)), LABELS, maps, MASKS)
    return counts


@pytest.fixture
def write_counts(tmp_path):
    def write(name, counts, class_name="x"):
        path = tmp_path / f"{name}.json"
        write_arrays(path.with_suffix(SPREAD), {class_name: counts.state()})
        return path

    return write


def test_two_methods_meet_the_same_draws(write_counts):
    one, other = counts_of(1), counts_of(2)
    paths = {"a": [write_counts("a", one)], "b": [write_counts("b", other)]}
    found = PixelCounts(50).deviations(paths, "visa", "x", "pixel_aupro")
    expected = differences(one, other, 50, zlib.crc32(b"visa/x"))["pixel_aupro"]
    assert found["a"].shape == (1, 50)
    assert np.array_equal(found["a"][0] - found["b"][0], expected)
    assert expected.std() > 0


def test_seeds_are_stacked(write_counts):
    paths = {
        "a": [write_counts("a", counts_of(1)), write_counts("a1", counts_of(3))],
        "b": [write_counts("b", counts_of(2))],
    }
    found = PixelCounts(5).deviations(paths, "visa", "x", "pixel_auroc")
    assert {name: values.shape for name, values in found.items()} == {"a": (2, 5), "b": (1, 5)}


def test_nothing_is_drawn_without_counts_of_the_same_images(write_counts, tmp_path, caplog):
    good, pixel_counts = write_counts("a", counts_of(1)), PixelCounts(5)
    assert pixel_counts.deviations({"a": [good], "b": [tmp_path / "none.json"]}, "visa", "x", "pixel_ap") is None
    others = write_counts("b", counts_of(2, [f"other{name}" for name in NAMES]))
    assert pixel_counts.deviations({"a": [good], "b": [others]}, "visa", "x", "pixel_ap") is None
    assert pixel_counts.deviations({"a": [good]}, "visa", "y", "pixel_ap") is None
    assert pixel_counts.deviations({"a": [good]}, "visa", "x", "pixel_aupro_200") is None
    assert not caplog.records
    (tmp_path / f"c{SPREAD}").write_bytes(b"no archive")
    assert pixel_counts.deviations({"c": [tmp_path / "c.json"]}, "visa", "x", "pixel_ap") is None
    assert "c.spread.npz" in caplog.text


def test_compare_gives_pixel_metrics_an_interval(make_board, make_record, write_counts):
    made = [make_record(name, "visa", {"x": 0.75}) for name in "ab"]
    paths = [(write_counts(record.cell["method"], counts_of(seed)), record) for seed, record in enumerate(made)]
    board = make_board(made)
    (found,) = pairings(Board(board.frame, paths, board.datasets), "a", "b")
    (line,) = [one for one in found.lines if (one.class_name, one.metric) == ("x", "pixel_aupro")]
    low, high = line.interval
    assert low < 0 < high
