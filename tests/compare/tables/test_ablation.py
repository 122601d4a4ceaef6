"""Ablations: a run is shown next to the printed row with its options, and next to no other row."""

import pytest

from zsadbench.compare.paper_rows import find_table
from zsadbench.compare.tables.ablation import measured_ablation_tables, options_of, plain

PAPER = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}
BASE = {"poolings": ["eot"], "views": ["id"], "fb_attention": False, "bs": False, "scr": False}


def rows_of(table):
    return {row.label: [[number.text for number in cell] for cell in row.cells] for row in table.rows}


def tables_of(board):
    return {table.key: table for table in measured_ablation_tables(board)}


def test_a_run_stands_beside_the_row_of_its_switches(make_board, make_record):
    values = {"candle": {"image_auroc": 0.5, "image_ap": 0.6, "pixel_auroc": 0.7, "pixel_aupro_200": 0.8}}
    records = [make_record("fbclip", "visa", values, options=BASE, **PAPER)]
    records += [make_record("fbclip", "visa", {"candle": 0.9}, options={**BASE, "bs": True}, **PAPER)]
    table = tables_of(make_board(records))["fbclip-table2-measured-1"]
    assert table.columns[4:] == ("VisA (I-AUROC, I-AP)", "measured", "VisA (P-AUROC, AUPRO)", "measured")
    assert any(note.startswith("Base, Base+BS: the paper does not say what Base is") for note in table.notes)
    rows = rows_of(table)
    empty = [["-", "-"]]
    assert rows["Base"][4:] == [["45.7", "56.2"], ["50.0", "60.0"], ["88.4", "71.8"], ["70.0", "80.0"]]
    assert rows["Base+BS"][5] == ["90.0", "90.0"]
    assert [cells[5] for label, cells in rows.items() if label not in {"Base", "Base+BS"}] == empty * 11
    assert [cells[1] for cells in rows.values()] == empty * 13  # nothing was run on the other data set


def test_the_whole_method_stands_where_it_was_printed(make_board, make_record):
    found = tables_of(make_board([make_record("fbclip", "visa", {"candle": 0.9}, **PAPER)]))
    assert {key for key in found if key.startswith("fbclip")} == {f"fbclip-table{n}-measured-1" for n in (2, 5)}
    assert rows_of(found["fbclip-table2-measured-1"])["Base+MSTFF+MVFBE+BS+SCR (full)"][5] == ["90.0", "90.0"]
    assert rows_of(found["fbclip-table5-measured-1"])["background L/2 tokens"][5] == ["90.0", "90.0"]
    assert rows_of(found["fbclip-table5-measured-1"])["background L tokens"][5] == ["-", "-"]


def test_of_two_runs_with_the_same_switches_one_is_shown_and_the_other_named(make_board, make_record):
    records = [make_record("fbclip", "visa", {"x": 0.9}, image_size=size, **PAPER) for size in (518, 336)]
    table = tables_of(make_board(records))["fbclip-table5-measured-1"]
    assert "Further runs with the switches of a row: fbclip [image_size=336]." in table.notes


def test_other_data_sets_and_other_switches_make_no_table(make_board, make_record):
    records = [make_record("fbclip", "btad", {"x": 0.9}, **PAPER)]
    records += [make_record("fbclip", "visa", {"x": 0.9}, options={"temperature": 0.5}, **PAPER)]
    records += [make_record("own", "visa", {"x": 0.9})]
    assert measured_ablation_tables(make_board(records)) == []


def test_every_described_row_has_options_of_its_method():
    rows = {row.label: row for row in find_table("fbclip:table3").rows}
    wanted = options_of(rows["text EOT+Attn"])
    assert (wanted["poolings"], wanted["views"], wanted["bs"]) == ("attention,eot", "id", "false")
    assert wanted["temperature"] == "0.07"


@pytest.mark.parametrize(("value", "text"), [((1, 6), "1.0,6.0"), ("6,1", "1.0,6.0"), (False, "false"), (0.5, "0.5")])
def test_values_have_one_spelling(value, text):
    assert plain(value) == text
