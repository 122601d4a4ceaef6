"""Classes too large for exact counting have bounds in the record, and in the table if these could change a digit."""

from itertools import permutations

import numpy as np
import pytest

from zsadbench.cli.shared.fitting import NUMERIC
from zsadbench.cli.tables.results import table_rows
from zsadbench.metrics import by_class
from zsadbench.records import Record, validate

PIXEL = ("pixel_auroc", "pixel_ap", "pixel_f1max", "pixel_aupro")


def test_a_class_beyond_the_budget_is_streamed_and_its_record_has_bounds(record_of, monkeypatch, tmp_path):
    exact = record_of(targets=("colondb",), aux="mvtec", options=("recipe.batch=16",))
    assert exact["bounds"] == {}
    monkeypatch.setattr(by_class, "BUDGET", 0)
    streamed = record_of(targets=("colondb",), aux="mvtec", options=("recipe.batch=16",), out=tmp_path / "again")
    validate(streamed)
    bounds = streamed["bounds"]["colon"]
    assert set(PIXEL) <= set(bounds)
    for name in PIXEL:
        lower, upper = bounds[name]
        assert lower <= exact["classes"]["colon"][name] <= upper
        assert lower <= streamed["classes"]["colon"][name] <= upper
        assert upper - lower < 1e-3
    assert streamed["counts"] == exact["counts"]


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ({}, "97.3"),
        ({"pixel_ap": [0.9728, 0.9732]}, "97.3"),
        ({"pixel_ap": [0.9724, 0.9731]}, "97.3 [97.2, 97.3]"),
    ],
)
def test_a_bound_is_shown_if_it_could_change_the_last_digit(bounds, shown):
    cell = {"method": "clip", "seed": 0, "shots": 0}
    record = Record(cell, ["a", "b"], {"a": {"pixel_ap": 0.973}, "b": {"pixel_ap": 0.973}}, {"a": bounds})
    rows = table_rows([record], ["pixel_ap"])
    assert rows[0][2] == shown
    assert rows[1][2] == "97.3"
    assert NUMERIC.fullmatch(shown)
    assert NUMERIC.fullmatch(shown + " (3)")


def test_the_mean_has_the_mean_of_the_bounds():
    cell = {"method": "clip", "seed": 0, "shots": 0}
    classes = {name: {"pixel_ap": value} for name, value in (("a", 0.5), ("b", 0.6), ("c", None))}
    bounds = {"a": {"pixel_ap": [0.496, 0.504]}, "b": {"pixel_ap": [0.596, 0.604]}}
    rows = table_rows([Record(cell, ["a", "b", "c"], classes, bounds)], ["pixel_ap"])
    assert [row[2] for row in rows] == ["50.0 [49.6, 50.4]", "60.0 [59.6, 60.4]", "-", "55.0 [54.6, 55.4] (2)"]
    assert np.isclose(np.mean([0.496, 0.596]), 0.546)


def test_the_mean_does_not_depend_on_the_order_of_the_classes():
    values = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.7}
    means = set()
    for order in permutations(values):
        rows = {name: {"pixel_ap": values[name]} for name in order}
        means.add(Record({}, list(values), rows).mean()[0]["pixel_ap"])
    assert len(means) == 1
    assert len({sum(order) for order in permutations(values.values())}) > 1
