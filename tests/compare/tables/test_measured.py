"""Tables of measured numbers: one per group; non-comparable records are shown without mark, mean or rank."""

import pytest

from zsadbench.compare.tables.contents import contents_of
from zsadbench.compare.tables.layout import Number, Row, Table, panels
from zsadbench.compare.tables.measured import class_tables, main_tables
from zsadbench.compare.tables.published import paper_main_tables


def numbers(table, label, block):
    (row,) = [row for row in table.rows if row.label == label and row.block.startswith(block)]
    return [[(number.text, number.mark) for number in cell] for cell in row.cells]


def test_two_protocols_are_two_tables(make_board, make_record):
    board = make_board(
        [
            make_record("a", "visa", {"x": 0.9}),
            make_record("b", "visa", {"x": 0.8}, protocol={"name": "strict-raw", "digest": "d"}),
        ]
    )
    assert [table.columns for table in main_tables(board)] == [("a",), ("b",)]


def test_the_aupro_of_a_table_is_that_of_its_protocol(make_board, make_record):
    values = {"x": {"pixel_aupro": 0.1, "pixel_aupro_200": 0.2, "pixel_aupro_200_max": 0.3}}
    for name, expected in (("strict", "10.0"), ("paper:fbclip", "20.0"), ("paper:afclip", "30.0"), ("mine", "10.0")):
        (table,) = main_tables(make_board([make_record("a", "visa", values, protocol={"name": name, "digest": "d"})]))
        assert numbers(table, "VisA", "industrial, pixel") == [[("50.0", ""), (expected, "")]]


def test_what_is_not_comparable_is_shown_apart_and_enters_nothing(make_board, make_record):
    records = [
        make_record(name, target, {"x": value})
        for name, value in (("a", 0.9), ("b", 0.8))
        for target in ("visa", "btad")
    ]
    records += [make_record("c", target, {"x": 0.99}, because=["synthetic data"]) for target in ("visa", "btad")]
    (table,) = main_tables(make_board(records))
    assert numbers(table, "VisA", "industrial, image") == [
        [("90.0", "best")] * 2,
        [("80.0", "second")] * 2,
        [("99.0", "apart")] * 2,
    ]
    assert numbers(table, "mean of 2 common", "industrial, image") == [
        [("90.0", "best")] * 2,
        [("80.0", "second")] * 2,
        [("-", "")] * 2,
    ]
    assert numbers(table, "average rank over 2", "industrial, image") == [
        [("1.0", "")] * 2,
        [("2.0", "")] * 2,
        [("-", "")] * 2,
    ]
    assert any("synthetic data" in note for note in table.notes)


def test_means_print_how_many_cells_all_methods_have(make_board, make_record):
    records = [make_record(name, "visa", {"x": 0.9}) for name in "ab"] + [make_record("a", "btad", {"x": 0.1})]
    (table,) = main_tables(make_board(records))
    assert numbers(table, "mean of 1 common", "industrial, pixel") == [[("90.0", "best")] * 2] * 2


def test_the_signatures_of_seeds_share_a_line(make_board, make_record):
    records = [make_record("a", "visa", {"x": 0.9}, seed=seed, signature=f"a|seed:{seed}|0{seed}") for seed in (0, 1)]
    (table,) = main_tables(make_board(records))
    assert "a: a|seed:0,1" in table.notes
    assert "±: standard deviation over seeds." in table.notes


def test_classes_stand_in_the_shape_of_the_appendix_with_the_mean_last(make_board, make_record):
    board = make_board([make_record("a", "visa", {"candle": 0.9, "fryum": 0.7})])
    (table,) = class_tables(board)["visa"]
    assert table.columns == ("P-AUROC", "AUPRO", "I-AUROC", "I-AP")
    assert [(row.label, row.cells[0][0].text) for row in table.rows] == [
        ("candle", "90.0"),
        ("fryum", "70.0"),
        ("mean", "80.0"),
    ]


def test_published_tables_have_no_means_or_ranks_of_their_own(make_board):
    assert not any(row.summary for table in paper_main_tables(make_board([])) for row in table.rows)


def test_measured_and_published_never_share_a_table(make_board, make_record):
    found = contents_of(make_board([make_record("fbclip", "visa", {"candle": 0.9})]))
    assert [table.key for table in found.main] == [
        "measured-1",
        "fbclip-table1",
        "afclip-table1",
        "afclip-table2",
        "afclip-table3",
        "mfpclip-table1",
    ]
    assert [table.key for table in found.by_class["visa"]] == ["measured-1-visa-fbclip", "fbclip-table11"]
    assert [table.key for table in found.gaps] == ["gaps-1", "conflicts"]


def test_a_wide_table_is_cut_into_equal_panels():
    columns = tuple("abcdefghij")
    row = Row("r", tuple((Number(float(place)),) for place in range(10)))
    parts = panels(Table("t", "c", "h", columns, (row,)), 8, 45)
    assert [part.columns for part in parts] == [columns[:5], columns[5:]]
    assert [part.rows[0].cells[0][0].value for part in parts] == [0.0, 5.0]


@pytest.mark.parametrize("most", [10, 12])
def test_a_table_that_fits_stays_whole(most):
    table = Table("t", "c", "h", tuple("abcdefghij"), ())
    assert panels(table, most, 45) == [table]


def test_the_claims_of_fbclips_text_hold_in_its_table(make_board):
    """Section 4.2: FB-CLIP is among the best two in 14 of 18 medical columns, FAPrompt in 10."""
    table = next(table for table in paper_main_tables(make_board([])) if table.key == "fbclip-table1")
    rows = [row for row in table.rows if row.block.startswith("medical")]
    counts = {
        name: sum(bool(number.mark) for row in rows for number in row.cells[place])
        for place, name in enumerate(table.columns)
    }
    assert (len(rows), counts["FB-CLIP"], counts["FAPrompt"]) == (9, 14, 10)


def test_a_tall_table_is_cut_between_rows():
    rows = tuple(Row(str(place), ((Number(1.0),),)) for place in range(7))
    parts = panels(Table("t", "c", "h", ("x",), rows), 8, 3)
    assert [[row.label for row in part.rows] for part in parts] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [part.key for part in parts] == ["t-1", "t-2", "t-3"]


# ---- names of runs


def cell_of(record, **changes):
    return record.cell | changes


def test_runs_are_told_apart_by_what_made_them_differ_and_no_more(make_record):
    from zsadbench.compare.measured import entry_names

    aux = {"name": "mvtec", "fingerprint": "1" * 64, "counts": {"normal": 1, "anomalous": 1}}
    recipe = {"epochs": 2, "batch": 8, "lr": 1e-3}
    trained = cell_of(make_record("fbclip", "visa", {"candle": 0.9}), aux=aux, recipe=recipe, checkpoint_sha256=None)
    seeds = [trained, trained | {"seed": 1}]
    assert entry_names(seeds) == ["fbclip", "fbclip"]
    untrained = trained | {"aux": None, "recipe": None}
    assert entry_names([trained, untrained]) == ["fbclip [aux=mvtec]", "fbclip [aux=none]"]
    permuted = trained | {"recipe": recipe | {"permuted": True}}
    assert entry_names([trained, permuted, untrained]) == [
        "fbclip [aux=mvtec]",
        "fbclip [aux=mvtec, recipe.permuted=true]",
        "fbclip [aux=none]",
    ]
    elsewhere = trained | {"aux": aux | {"name": "btad", "fingerprint": "2" * 64}, "recipe": recipe | {"epochs": 3}}
    assert entry_names([trained, elsewhere]) == ["fbclip [aux=mvtec]", "fbclip [aux=btad]"]
    copies = [trained, trained | {"aux": aux | {"fingerprint": "3" * 64}}, elsewhere]
    names = entry_names(copies)
    assert len(set(names)) == 3
    assert all("aux.fingerprint" in name for name in names[:2])
    given = trained | {"checkpoint_sha256": "4" * 64, "recipe": None}
    assert entry_names([trained, given])[1] == f"fbclip [checkpoint_sha256={'4' * 24}]"
