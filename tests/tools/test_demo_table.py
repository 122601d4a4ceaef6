"""The tables of the demo, and the strips of heat maps."""

import numpy as np
import pytest


def test_several_seeds_show_their_mean_and_ends():
    from demo_table.tables import spread

    assert spread([0.5]) == "50.0"
    assert spread([0.4, 0.6, 0.8]) == "60.0 (40.0–80.0)"


def part(value):
    return {"all": dict.fromkeys(("pixel_auroc", "pixel_aupro", "image_auroc"), value)}


def test_differences_are_points_with_the_smallest_first():
    from demo_table.tables import gains

    rows = {"clip": [part(0.7)], "afclip": [part(0.75), part(0.6)], "afclip, untrained": [part(0.5), part(0.55)]}
    table = gains(rows, {"afclip": ("clip", "afclip, untrained")})
    assert table.header == ["method", "compared with", "pixel AUROC", "AUPRO", "image AUROC"]
    assert table.rows == [
        ("afclip", "clip", *["-10.0 (+5.0, -10.0)"] * 3),
        ("afclip", "afclip, untrained", *["+5.0 (+25.0, +5.0)"] * 3),
    ]
    single = gains({"clip": [part(0.7)], "one": [part(0.71)]}, {"one": ("clip",)})
    assert single.rows == [("one", "clip", *["+1.0"] * 3)]


def test_a_missed_aim_is_named():
    from demo_table.tables import missed

    rows = {"clip": [part(0.7)], "one": [part(0.76), part(0.74)], "two": [part(0.76), part(0.77)]}
    assert missed(rows, {"two": ("clip",)}) == "The aim is met."
    text = missed(rows, {"one": ("clip",), "two": ("clip",)})
    assert text.count("`one` over `clip`") == 2
    assert "AUPRO (+4.0 with one seed)" in text
    assert "`two`" not in text


def test_results_on_held_out_families_are_laid_out_by_rate_and_epoch():
    from demo_table.tables import held_out

    tried = {"method": "afclip", "batch": 2}
    rows = [
        {"method": "clip", "pixel_auroc": 0.9, "pixel_aupro": 0.2},
        {**tried, "seed": 0, "lr": 0.0, "epochs": 0, "pixel_auroc": 0.5, "pixel_aupro": 0.1},
        {**tried, "seed": 0, "lr": 0.001, "epochs": 1, "pixel_auroc": 0.8, "pixel_aupro": 0.4},
        {**tried, "seed": 1, "lr": 0.001, "epochs": 1, "pixel_auroc": 0.6, "pixel_aupro": 0.5},
        {**tried, "seed": 0, "lr": 0.01, "epochs": 2, "pixel_auroc": 0.7, "pixel_aupro": 0.3},
    ]
    table = held_out(rows, {"afclip": {"lr": 0.001, "batch": 2, "epochs": 1}})
    assert table.header == ["pixel AUROC / AUPRO", "untrained", "1 epoch", "2 epochs"]
    assert table.rows == [
        ("clip", "90.0 / 20.0", "", ""),
        ("afclip", "50.0 / 10.0", "", ""),
        ("afclip, learning rate 0.001", "", "**70.0 / 45.0**", ""),
        ("afclip, learning rate 0.01", "", "", "70.0 / 30.0"),
    ]
    assert held_out([], {}).rows == []


def test_the_short_demo_has_the_rows_that_matter():
    from demo_table.runs import ENTRIES, SHORT, TRAINED

    assert [entry.label for entry in SHORT] == ["clip", "fbclip", "fbclip, untrained"]
    labels = [entry.label for entry in ENTRIES]
    assert len(labels) == len(set(labels))
    for name in TRAINED:
        assert {name, f"{name}, untrained", f"{name}, masks permuted"} <= set(labels)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A record of `colour-distance` on the demo, with its maps."""
    from demo_table.runs import ENTRIES, run_entry

    out = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSADBENCH_CACHE", str(out / "cache"))
        (entry,) = [entry for entry in ENTRIES if entry.label == "colour-distance"]
        ((path, _),) = run_entry(entry, [0], out / "results").records
        yield path


def test_the_strips_show_image_truth_and_maps_of_every_second_class(record, tmp_path):
    from demo_table.strips import GAP, HEAD, SIDE, stacked, strips, write_strips

    from zsadbench_datasets.demo.families import families_of

    found = strips({"one": record, "two": record})
    parts = [name.split("/") for name in found]
    assert [one[0] for one in parts] == [family.name for family in families_of("demo")][::2]
    assert all(one[2] != "good" for one in parts)
    for strip in found.values():
        assert strip.size == (4 * SIDE + 3 * GAP, HEAD + SIDE)
        pixels = np.asarray(strip)[HEAD:]
        pictures = [pixels[:, (SIDE + GAP) * number :][:, :SIDE] for number in range(4)]
        assert set(np.unique(pictures[1])) <= {0, 255}
        assert pictures[1].any()
        assert np.array_equal(pictures[2], pictures[3])
        assert not np.array_equal(pictures[0], pictures[2])
    sheet = stacked(list(found.values()))
    assert sheet.size == (4 * SIDE + 3 * GAP, HEAD + len(found) * SIDE + (len(found) - 1) * GAP)
    last = np.asarray(list(found.values())[-1])[HEAD:]
    assert np.array_equal(np.asarray(sheet)[-SIDE:], last)
    assert [path.name for path in write_strips(record, "one", tmp_path)] == [f"{one[0]}-{one[2]}.png" for one in parts]


def test_the_numbers_of_a_part_are_those_of_its_images_alone(record):
    from demo_table.halves import PARTS, measure
    from demo_table.tables import by_class, means

    from zsadbench.records import read_record

    whole = read_record(record)
    found = measure(record, PARTS["all"])
    assert found["pixel_auroc"] == pytest.approx(whole.mean()[0]["pixel_auroc"], abs=1e-9)
    assert measure(record, PARTS["seen"]) != found
    classes = by_class([whole])
    assert [row[0] for row in classes.rows] == [*whole.expected, "mean"]
    assert means({"one": [whole]}).rows == [("one", *classes.rows[-1][1:])]
