"""Measured cost: of methods that shared no encoding, and the number of records that are left out."""

import pytest

from zsadbench.compare.tables.costs import SHARED, cost_tables

COST = {"seconds": {"tower": 2.0, "head": 1.0, "map": 1.0, "load": 9.0}, "images": {"x": 40}, "peak_host_mib": 512.4}


@pytest.fixture
def make(make_record):
    def record(method, *, shared=False, seed=0, device="cpu"):
        made = make_record(method, "visa", {"x": 0.9}, seed=seed)
        made.cost, made.provenance = {**COST, "shared": shared}, {"device": device}
        return made

    return record


def test_milliseconds_an_image_leave_out_loading_and_metrics(make_board, make):
    (table,) = cost_tables(make_board([make("fbclip")]))
    (row,) = table.rows
    assert [cell if isinstance(cell, str) else cell[0].text for cell in row.cells] == [
        *("100.0", "50.0", "-", "512", "-", "-"),
        "cpu",
    ]


def test_records_that_shared_an_encoding_are_left_out_and_counted(make_board, make):
    (table,) = cost_tables(make_board([make("fbclip"), make("afclip", shared=True), make("clip", shared=True)]))
    assert [row.label for row in table.rows] == ["fbclip"]
    assert SHARED.format(2) in table.notes
    (alone,) = cost_tables(make_board([make("fbclip")]))
    assert not any("shared" in note for note in alone.notes)


def test_where_all_shared_the_table_says_so(make_board, make):
    (table,) = cost_tables(make_board([make("fbclip", shared=True)]))
    assert (table.rows, table.notes[-1], table.cites) == ((), SHARED.format(1), ())


def test_devices_are_rows_of_their_own_and_no_cost_no_table(make_board, make, make_record):
    (table,) = cost_tables(make_board([make("fbclip"), make("fbclip", seed=1, device="cuda")]))
    assert [row.cells[-1] for row in table.rows] == ["cpu", "cuda"]
    assert cost_tables(make_board([make_record("fbclip", "visa", {"x": 0.9})])) == []
