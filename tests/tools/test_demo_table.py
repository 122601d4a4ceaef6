"""The tables of the demo page, and the comparison with the targets."""

import pytest


def numbers(seen, unseen):
    parts = {"all": (seen + unseen) / 2, "seen": seen, "unseen": unseen}
    return {part: {"pixel_auroc": value, "pixel_aupro": value} for part, value in parts.items()}


def verdicts_of(result, control, baseline=(0.7, 0.6)):
    from demo_table.tables import verdicts

    rows = {
        "clip": [numbers(*baseline)],
        "fbclip": [numbers(*one) for one in result],
        "fbclip, untrained": [numbers(*one) for one in control],
    }
    return verdicts(rows)


def test_a_target_is_met_if_every_seed_meets_it():
    lines = verdicts_of([(0.8, 0.6), (0.76, 0.65)], [(0.74, 0.5), (0.5, 0.5)])
    assert len(lines) == 6
    assert all(line.startswith("- met") for line in lines)
    assert "+10.0, +6.0" in lines[1]
    assert "40 %" in lines[-1]


@pytest.mark.parametrize(
    ("result", "control", "baseline", "missed"),
    [
        ([(0.8, 0.6)], [(0.5, 0.5)], (0.98, 0.9), {0, 1, 2, 3, 4, 5}),
        ([(0.8, 0.6), (0.74, 0.6)], [(0.5, 0.5)] * 2, (0.7, 0.6), {1, 3}),
        ([(0.8, 0.59)], [(0.5, 0.5)], (0.7, 0.6), {2, 4}),
        ([(0.8, 0.6)], [(0.76, 0.5)], (0.7, 0.6), {5}),
        ([(0.7, 0.6)], [(0.5, 0.5)], (0.7, 0.6), {1, 3, 5}),
    ],
)
def test_a_target_is_missed_if_one_seed_misses_it(result, control, baseline, missed):
    lines = verdicts_of(result, control, baseline)
    assert {number for number, line in enumerate(lines) if line.startswith("- **missed**")} == missed


def test_several_seeds_show_their_mean_and_ends():
    from demo_table.tables import spread

    assert spread([0.5]) == "50.0"
    assert spread([0.4, 0.6, 0.8]) == "60.0 (40.0–80.0)"


def test_differences_to_the_baseline_are_points_with_every_seed():
    from demo_table.tables import gains

    def part(value):
        return {"all": dict.fromkeys(("pixel_auroc", "pixel_aupro", "image_auroc"), value)}

    rows = {"clip": [part(0.7)], "afclip": [part(0.75), part(0.6)], "one": [part(0.71)]}
    table = gains(rows, "clip", ["afclip", "one"])
    assert table.header == ["method", "pixel AUROC", "AUPRO", "image AUROC"]
    assert table.rows == [("afclip", *["-2.5 (+5.0, -10.0)"] * 3), ("one", *["+1.0"] * 3)]


def test_figures_on_classes_held_out_are_laid_out_by_rate_and_epoch():
    from demo_table.tables import held_out

    tried = {"method": "afclip", "batch": 2, "seed": 0}
    rows = [
        {"method": "clip", "pixel_auroc": 0.9},
        {**tried, "lr": 0.001, "epochs": 1, "pixel_auroc": 0.8},
        {**tried, "lr": 0.001, "epochs": 2, "pixel_auroc": 0.85},
        {**tried, "lr": 0.01, "epochs": 2, "pixel_auroc": 0.7},
    ]
    table = held_out(rows, {"afclip": {"lr": 0.001, "batch": 2, "epochs": 2}})
    assert table.header == ["pixel AUROC, classes held out", "1 epoch", "2 epochs"]
    assert table.rows == [
        ("clip", "90.0", ""),
        ("afclip, learning rate 0.001", "80.0", "**85.0**"),
        ("afclip, learning rate 0.01", "", "70.0"),
    ]
    assert held_out([], {}).rows == []


def test_rows_are_left_out_with_the_methods_that_are_not_selected():
    from demo_table.runs import ENTRIES, TRAINED, entries_for

    assert entries_for(TRAINED) == list(ENTRIES)
    short = [entry.label for entry in entries_for(["fbclip"])]
    assert short == [entry.label for entry in ENTRIES if entry.method not in {"anomalyclip", "afclip"}]
    assert [entry.label for entry in ENTRIES[:4]] == ["clip", "fbclip", "anomalyclip", "afclip"]
