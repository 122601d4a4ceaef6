"""Measured cost: of methods that shared no encoding, and the number of records that are left out."""

from dataclasses import replace

import pytest

from zsadbench.compare.tables.costs import REMEDY, SHARED, cost_tables

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
        *("run", "cpu"),
    ]


def test_records_that_shared_an_encoding_are_left_out_and_counted(make_board, make):
    (table,) = cost_tables(make_board([make("fbclip"), make("afclip", shared=True), make("clip", shared=True)]))
    assert [row.label for row in table.rows] == ["fbclip"]
    assert SHARED.format(2) in table.notes
    (alone,) = cost_tables(make_board([make("fbclip")]))
    assert not any("shared" in note for note in alone.notes)


def test_where_all_shared_the_table_says_so(make_board, make):
    (table,) = cost_tables(make_board([make("fbclip", shared=True)]))
    assert (table.rows, table.cites) == ((), ())
    assert table.notes[-2:] == (SHARED.format(1), REMEDY.format("fbclip"))


def test_devices_are_rows_of_their_own_and_no_cost_no_table(make_board, make, make_record):
    (table,) = cost_tables(make_board([make("fbclip"), make("fbclip", seed=1, device="cuda")]))
    assert [row.cells[-1] for row in table.rows] == ["cpu", "cuda"]
    assert cost_tables(make_board([make_record("fbclip", "visa", {"x": 0.9})])) == []


PROFILE = {"method": "afclip", "options": {}, "backbone": "ViT-L-14-336", "image_size": 518, "precision": "fp32"}
PROFILE |= {"batch_size": 4, "device_name": "cpu", "threads": 2, "scenario": "single-stream", "tower_ms": 300.0}
PROFILE |= {"latency_ms": {"median": 400.0, "p90": 410.0, "p99": 420.0}, "parameters_trained": 7}
PROFILE |= {"peak_host_mib": 900.2, "peak_device_mib": None}


def test_a_profile_fills_what_a_shared_encoding_cannot(make_board, make):
    board = make_board([make("fbclip"), make("afclip", shared=True), make("clip", shared=True)])
    (table,) = cost_tables(replace(board, profiles=[PROFILE, {**PROFILE, "options": {"adapter": "no"}}]))
    assert [row.label for row in table.rows] == ["fbclip", "afclip"]
    assert [cell if isinstance(cell, str) else cell[0].text for cell in table.rows[1].cells] == [
        *("100.0", "75.0", "-", "900", "-", "7"),
        *("profile, batch 4", "cpu"),
    ]
    assert table.notes[-1] == REMEDY.format("clip")


def test_a_profile_is_named_as_its_records_are(make_board, make, make_record):
    other = make_record("afclip", "visa", {"x": 0.8}, options={"adapter": "no"})
    board = replace(
        make_board([make("afclip", shared=True), other]), profiles=[{**PROFILE, "options": other.cell["options"]}]
    )
    assert [row.label for row in cost_tables(board)[0].rows] == ["afclip [adapter=no]"]
