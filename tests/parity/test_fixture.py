"""The tolerance of one tensor of a fixture."""

import pytest

from zsadbench.parity.fixture import tolerance


@pytest.mark.parametrize(
    ("table", "name", "wanted"),
    [
        ({"max_abs": 1e-4}, "score", (1e-4, 0.0)),
        ({"max_abs": 1e-4, "gradnorm": {"rel": 1e-3, "abs": 1e-5}}, "gradnorm/gate.weight", (1e-5, 1e-3)),
        ({"max_abs": 1e-4, "overrides": {"map_grid": 2e-3}}, "map_grid", (2e-3, 0.0)),
        ({"max_abs": 1e-4, "overrides": {"labels": "exact"}}, "labels", (0.0, 0.0)),
        ({"max_abs": 1e-4, "overrides": {"labels": "do not compare the numbering"}}, "labels", (float("inf"), 0.0)),
    ],
)
def test_tolerances(table, name, wanted):
    assert tolerance(table, name) == wanted
