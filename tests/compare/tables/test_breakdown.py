"""Breakdowns: means over the classes that all runs have, marks across methods, and the prevalence."""

import pytest

from zsadbench.compare.tables.breakdown import KINDS, breakdown_tables

METRICS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_aupro", "pixel_ap", "pixel_f1max")


def part(value, images=4, prevalence=0.02):
    values = dict.fromkeys(METRICS, value)
    reasons = dict.fromkeys(METRICS, "no region") if value is None else {}
    return {"images": images, "prevalence": prevalence, "metrics": values, "undefined": reasons}


@pytest.fixture
def tables(make_board, make_record):
    """`tables(details)` are those of methods on VisA; `details[method]` is class → part → content, or None."""

    def make(details, **changes):
        records = [make_record(name, "visa", {"candle": 0.9, "fryum": 0.8}, **changes) for name in details]
        sides = [
            None if classes is None else {"classes": {name: {"parts": parts} for name, parts in classes.items()}}
            for classes in details.values()
        ]
        return breakdown_tables(make_board(records), lambda path: sides[int(path.stem)])

    return make


def rows_of(table):
    return {
        row.label: [cell if isinstance(cell, str) else [(one.text, one.mark) for one in cell] for cell in row.cells]
        for row in table.rows
    }


def test_small_regions_have_a_row_and_a_winner(tables):
    found = tables(
        {
            "a": {"candle": {"area=1": part(0.9), "class": part(0.1)}, "fryum": {"area=1": part(0.7, 2, 0.04)}},
            "b": {"candle": {"area=1": part(0.6)}, "fryum": {"area=1": part(0.6, 2, 0.04)}},
        }
    )
    assert [table.columns for table in found] == [("images", "prevalence [%]", "a", "b")] * 3
    rows = rows_of(found[2])
    assert rows == {"1": [[("6", "")], [("3.00", "")], [("80.0", "best")] * 2, [("60.0", "second")] * 2]}
    assert found[2].rows[0].block == KINDS["area"]
    assert found[2].caption.startswith("P-AP, P-F1 on VisA by part. Measured: protocol strict")


def test_kinds_stand_in_order_and_defects_keep_their_class(tables):
    parts = {name: part(0.5) for name in ("defect=scratch", "view=C1", "border=near", "regions=1", "area=2")}
    (table, *_) = tables({"a": {"candle": parts, "fryum": {"defect=scratch": part(0.4)}}})
    assert [(row.block, row.label) for row in table.rows] == [
        (KINDS["area"], "2"),
        (KINDS["regions"], "1"),
        (KINDS["border"], "near"),
        (KINDS["view"], "C1"),
        (KINDS["defect"], "candle: scratch"),
        (KINDS["defect"], "fryum: scratch"),
    ]


def test_only_classes_that_every_run_has_count(tables):
    found = tables(
        {
            "a": {"candle": {"area=1": part(0.9)}, "fryum": {"area=1": part(0.1)}},
            "b": {"candle": {"area=1": part(0.6)}},
            "c": None,
        }
    )
    assert rows_of(found[0])["1"] == [[("4", "")], [("2.00", "")], [("90.0", "best")] * 2, [("60.0", "second")] * 2]
    assert found[0].columns[2:] == ("a", "b")


def test_what_is_undefined_is_no_number_and_an_empty_part_no_row(tables):
    parts = {"area=1": part(0.5), "area=2": part(None), "area=3": part(0.4, prevalence=None)}
    (table, *_) = tables({"a": {"candle": parts}})
    assert {label: cells[1] for label, cells in rows_of(table).items()} == {"1": [("2.00", "")], "3": [("-", "")]}


def test_what_is_not_comparable_is_shown_apart(tables):
    (table, *_) = tables({"a": {"candle": {"area=1": part(0.9)}}}, because=["limited"])
    assert rows_of(table)["1"][2] == [("90.0", "apart")] * 2


def test_without_details_there_is_no_table(tables):
    assert tables({"a": None, "b": None}) == []
