"""The comparison of one tensor with its expected value."""

import numpy as np
import pytest

from zsadbench.parity.check import compare

EXPECTED = np.array([1.0, -2.0, 4.0], np.float32)


@pytest.mark.parametrize(
    ("produced", "deviation", "allowed", "passed", "note"),
    [
        (EXPECTED, 0.0, 0.5 + 0.1, True, ""),
        (np.array([1.0, -2.0, 4.8]), 0.8, 0.5 + 0.4, True, ""),
        (np.array([1.0, -1.25, 4.85]), 0.75, 0.5 + 0.2, False, ""),
        (np.array([1.0, np.nan, 4.0]), None, 0.5 + 0.2, False, "not finite"),
        (np.array([np.inf, -2.0, 4.0]), None, 0.5 + 0.1, False, "not finite"),
        (np.zeros((3, 1)), None, 0.5, False, "shape [3, 1], expected [3]"),
        (None, None, 0.5, False, "not produced"),
    ],
)
def test_the_report_is_of_the_number_that_exceeds_its_bound_most(produced, deviation, allowed, passed, note):
    report = compare("score", EXPECTED, produced, absolute=0.5, relative=0.1)
    assert (report.passed, report.note) == (passed, note)
    assert report.deviation == (None if deviation is None else pytest.approx(deviation, abs=1e-6))
    assert report.allowed == pytest.approx(allowed)


def test_an_expected_tensor_of_the_first_image_is_compared_with_the_first_image():
    produced = np.stack([EXPECTED, EXPECTED + 9])
    assert compare("map", EXPECTED[None], produced, 0.0, 0.0).passed


def test_empty_tensors_are_equal():
    report = compare("empty", np.zeros((0, 4)), np.zeros((0, 4)), 1e-4, 0.0)
    assert (report.deviation, report.allowed, report.passed) == (0.0, 1e-4, True)
