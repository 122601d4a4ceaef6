"""The positional table at another resolution."""

import pytest
import torch
from torch.nn.functional import interpolate

from zsadbench.clip.positions import resize_positions

RULES = ("bilinear", "bicubic", "bicubic_antialias")


@pytest.fixture
def table():
    return torch.randn(1 + 4 * 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("grid", [2, 3, 7, 11])
@pytest.mark.parametrize("rule", RULES)
def test_patches_follow_torch_channel_by_channel(table, rule, grid):
    mode = rule.removesuffix("_antialias")
    antialias = rule.endswith("antialias")
    resized = resize_positions(table, grid, rule)
    assert resized.shape == (1 + grid * grid, 6)
    for channel in range(6):
        plane = table[1:, channel].reshape(1, 1, 4, 4)
        expected = interpolate(plane, size=(grid, grid), mode=mode, align_corners=False, antialias=antialias)
        assert torch.allclose(resized[1:, channel], expected.flatten(), atol=1e-6)


def test_bilinear_by_hand():
    """Twice as large: every output sample lies a quarter of a step from its nearest source sample."""
    table = torch.tensor([[9.0], [0.0], [1.0], [2.0], [3.0]])  # CLS, then the plane [[0, 1], [2, 3]]
    row = [0.0, 0.25, 0.75, 1.0]
    expected = [2 * y + x for y in row for x in row]
    assert torch.allclose(resize_positions(table, 4, "bilinear").flatten(), torch.tensor([9.0, *expected]))


@pytest.mark.parametrize("rule", RULES)
def test_the_class_row_is_kept_and_the_native_grid_is_the_table_itself(table, rule):
    assert torch.equal(resize_positions(table, 9, rule)[0], table[0])
    assert resize_positions(table, 4, rule) is table


def test_the_rules_differ_both_ways(table):
    for grid in (3, 7):  # antialiasing smooths a smaller grid; its other coefficient shows on a larger one
        made = [resize_positions(table, grid, rule) for rule in RULES]
        for left, right in ((0, 1), (0, 2), (1, 2)):
            assert (made[left] - made[right]).abs().max() > 1e-3


def test_half_tables_are_resized_in_single_precision(table):
    half = resize_positions(table.half(), 7, "bilinear")
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), resize_positions(table.half().float(), 7, "bilinear"), atol=2e-3)
