"""Below a table stand the marks and signatures of its own records alone; parts of data sets are said in their cells."""

from zsadbench.compare import Selection, choose, contents_of
from zsadbench.compare.tables.layout import without_spreads
from zsadbench.compare.tables.measured import class_tables, main_tables


def signed(make_record, method, target, value, **more):
    name = f"{method}|on {target}|seed:{more.get('seed', 0)}|{len(str(more))}"
    return make_record(method, target, value, signature=name, **more)


def test_a_table_by_class_has_the_signatures_of_its_own_records(make_board, make_record):
    records = [signed(make_record, name, target, {"x": 0.5}) for name in ("a", "b") for target in ("visa", "btad")]
    records += [signed(make_record, "c", "btad", {"x": 0.5}, because=["random weights"])]
    found = {table.key: table.notes for table in class_tables(make_board(records))["visa"]}
    assert found["measured-1-visa-a"] == ("a: a|on visa|seed:0",)
    assert found["measured-1-visa-methods"][1:] == ("a: a|on visa|seed:0", "b: b|on visa|seed:0")
    assert not any("random weights" in note for notes in found.values() for note in notes)
    btad = {table.key: table.notes for table in class_tables(make_board(records))["btad"]}
    assert "not comparable (†), in no mean, rank or mark: random weights." in btad["measured-1-btad-methods"]


def test_classes_and_methods_stand_in_one_table_with_marks(make_board, make_record):
    records = [make_record(name, "visa", {"candle": value, "fryum": 0.7}) for name, value in (("a", 0.9), ("b", 0.8))]
    table = class_tables(make_board(records))["visa"][0]
    assert table.columns == ("a", "b")
    assert [row.label for row in table.rows] == ["candle", "fryum", "mean"] * 2
    assert [[number.mark for number in cell] for cell in table.rows[0].cells] == [["best"] * 2, ["second"] * 2]


def test_a_part_of_the_classes_is_said_in_the_cell(make_board, make_record):
    record = make_record("a", "mvtec", dict.fromkeys("xyz", 0.9), partial=True, because=["incomplete"])
    (table,) = main_tables(make_board([record]))
    assert {number.remark for number in table.rows[0].cells[0]} == {"3 of 15 classes"}
    by_class = class_tables(make_board([record]))["mvtec"][0]
    assert [row.cells[0][0].remark for row in by_class.rows] == ["", "", "", "3 of 15 classes"]


def test_an_unfinished_record_says_how_many_classes_it_has(make_board, make_record):
    record = make_record("a", "visa", dict.fromkeys("xyz", 0.9))
    del record.classes["z"]
    done = make_record("b", "visa", dict.fromkeys("xyz", 0.8))
    (table,) = main_tables(make_board([record, done]))
    assert [(cell[0].text, cell[0].remark) for cell in table.rows[0].cells] == [("-", "2 of 3 classes"), ("80.0", "")]


def test_decimals_and_spreads_are_printed_as_chosen(make_board, make_record):
    records = [make_record("a", "visa", {"x": 0.90123 + seed / 100}, seed=seed) for seed in (0, 1)]
    records += [make_record("b", "visa", {"x": 0.90621}, seed=seed) for seed in (0, 1)]
    board = make_board(records)
    (table,) = main_tables(board)
    assert [cell[0].mark for cell in table.rows[0].cells] == ["best", "best"]  # 90.6 both
    (table,) = main_tables(choose(board, Selection(decimals=2, no_spread=True)))
    assert [(cell[0].text, cell[0].mark) for cell in table.rows[0].cells] == [("90.62", "best"), ("90.62", "best")]
    (table,) = main_tables(choose(board, Selection(decimals=3, no_spread=True)))
    assert [(cell[0].text, cell[0].mark) for cell in table.rows[0].cells] == [("90.623", "best"), ("90.621", "second")]
    assert not any(number.spread_text for number in table.numbers)
    assert "±: standard deviation over seeds." not in table.notes


def test_spreads_move_into_a_second_table_with_their_note(make_board, make_record):
    records = [make_record(name, "visa", {"x": 0.9 + seed / 100}, seed=seed) for name in "ab" for seed in (0, 1)]
    (table,) = main_tables(make_board(records))
    plain, spreads = without_spreads(table)
    assert not any(number.spread_text for number in plain.numbers)
    assert spreads.key == "measured-1-spreads"
    assert {number.text for number in spreads.numbers} == {"0.7"}
    assert spreads.notes == ("±: standard deviation over seeds.",)
    assert spreads.notes[0] not in plain.notes


PAPER = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}


def test_published_baselines_stand_apart_or_beside_by_their_settings(make_board, make_record):
    values = {"x": {"image_auroc": 0.999, "image_ap": 0.5, "pixel_auroc": 0.5, "pixel_aupro_200": 0.5}}
    board = choose(make_board([make_record("own", "visa", values, **PAPER)]), Selection(paper="fbclip:table1"))
    table = contents_of(board).main[0]
    assert table.key == "measured-1-fbclip-table1"
    assert table.columns[-2:] == ("FB-CLIP", "own")
    assert [text for text, _ in table.spans] == [
        "FB-CLIP, Table 1: other settings",
        "FB-CLIP, Table 1: same settings",
        "measured here",
    ]
    image = table.rows[0]
    assert [number.text for number in image.cells[-2]] == ["89.5", "90.7"]
    assert [[number.mark for number in cell] for cell in image.cells[-2:]] == [["second", "best"], ["best", "second"]]
    assert not any(number.mark for cell in image.cells[:-2] for number in cell)
    assert any(note.startswith("Other settings: protocol unknown (WinCLIP") for note in table.notes)


def test_with_another_protocol_all_published_numbers_stand_apart(make_board, make_record):
    board = choose(make_board([make_record("own", "visa", {"x": 0.9})]), Selection(paper="fbclip:table1"))
    table = contents_of(board).main[0]
    assert [text for text, _ in table.spans] == ["FB-CLIP, Table 1: other settings", "measured here"]
    assert not any(number.mark for number in table.numbers)
    assert "Other settings: protocol paper:fbclip (FB-CLIP)." in table.notes
