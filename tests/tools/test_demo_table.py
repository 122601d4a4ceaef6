"""The verdicts under the demo's table: computed from the rows, seed by seed."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True, scope="module")
def tools():
    """The folder of tools on the path."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


def numbers(seen, unseen):
    parts = {"all": (seen + unseen) / 2, "seen": seen, "unseen": unseen}
    return {part: {"pixel_auroc": value, "pixel_aupro": value} for part, value in parts.items()}


def judge(result, control, floor=(0.7, 0.6)):
    from demo_table.tables import verdicts

    rows = {
        "clip": [numbers(*floor)],
        "fbclip": [numbers(*one) for one in result],
        "fbclip, untrained": [numbers(*one) for one in control],
    }
    return verdicts(rows)


def test_every_goal_is_reached_where_every_seed_reaches_it():
    lines = judge([(0.8, 0.6), (0.76, 0.65)], [(0.74, 0.5), (0.5, 0.5)])
    assert len(lines) == 6
    assert all(line.startswith("- reached") for line in lines)
    assert "+10.0, +6.0" in lines[1]
    assert "40 %" in lines[-1]


@pytest.mark.parametrize(
    ("result", "control", "floor", "missed"),
    [
        ([(0.8, 0.6)], [(0.5, 0.5)], (0.98, 0.9), {0, 1, 2, 3, 4, 5}),
        ([(0.8, 0.6), (0.74, 0.6)], [(0.5, 0.5)] * 2, (0.7, 0.6), {1, 3}),
        ([(0.8, 0.59)], [(0.5, 0.5)], (0.7, 0.6), {2, 4}),
        ([(0.8, 0.6)], [(0.76, 0.5)], (0.7, 0.6), {5}),
        ([(0.7, 0.6)], [(0.5, 0.5)], (0.7, 0.6), {1, 3, 5}),
    ],
)
def test_one_seed_that_falls_short_misses_the_goal(result, control, floor, missed):
    lines = judge(result, control, floor)
    assert {number for number, line in enumerate(lines) if line.startswith("- **missed**")} == missed


def test_several_seeds_show_their_mean_and_ends():
    from demo_table.tables import spread

    assert spread([0.5]) == "50.0"
    assert spread([0.4, 0.6, 0.8]) == "60.0 (40.0–80.0)"
