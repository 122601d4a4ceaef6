"""Tables of significance from records: tests, intervals from the scores of images, and records that are left out."""

from zsadbench.compare.tables.significance import critical_tables, significance_tables

TARGETS = ("visa", "btad", "mpdd", "dagm", "dtd", "mvtec")


def tables_of(board):
    return {table.key: table for table in significance_tables(board)}


def test_fewer_than_six_data_sets_are_said(make_board, make_record):
    records = [
        make_record(name, target, {"x": value}) for name, value in (("a", 0.9), ("b", 0.8)) for target in TARGETS[:2]
    ]
    table = tables_of(make_board(records))["significance-1-pixel_auroc"]
    assert [(row.label, row.cells) for row in table.rows] == [("a against b", ("2", "+10.0", "+10.0 to +10.0", "-"))]
    assert "Fewer than 6 data sets: no test over data sets." in table.notes
    assert "Rank intervals: a 1-2, b 1-2." in table.notes


def test_six_data_sets_are_tested(make_board, make_record):
    records = [
        make_record(name, target, {"x": value + number / 100})
        for name, value in (("a", 0.9), ("b", 0.8))
        for number, target in enumerate(TARGETS)
    ]
    table = tables_of(make_board(records))["significance-1-image_auroc"]
    assert table.rows[0].cells[3] == "0.031"
    assert "Rank intervals: a 1-1, b 2-2." in table.notes


def test_what_is_not_comparable_is_no_party(make_board, make_record):
    records = [make_record("a", "visa", {"x": 0.9}), make_record("b", "visa", {"x": 0.8}, because=["limited"])]
    assert tables_of(make_board(records)) == {}


def test_images_are_resampled_for_image_metrics(board_with_images):
    tables = tables_of(board_with_images)
    assert tables["significance-1-pixel_auroc"].rows[0].cells[2] == "+0.0 to +0.0"
    low, high = (float(end) for end in tables["significance-1-image_auroc"].rows[0].cells[2].split(" to "))
    assert high - low > 5


def test_mean_ranks_say_who_is_not_told_apart_and_why_there_is_no_test(make_board, make_record):
    def ranked(targets):
        records = [
            make_record(name, target, {"x": value + number / 100})
            for name, value in (("a", 0.7), ("b", 0.5), ("c", 0.9))
            for number, target in enumerate(targets)
        ]
        return {table.key: table for table in critical_tables(make_board(records))}["ranks-1-image_auroc"]

    table = ranked(TARGETS)
    assert [(row.label, row.cells[0][0].text, row.cells[1]) for row in table.rows] == [
        ("c", "1.00", "a"),
        ("a", "2.00", "c, b"),
        ("b", "3.00", "a"),
    ]
    assert table.notes[-1] == "6 data sets: Friedman p = 0.002; critical difference 1.35 ranks."
    short = ranked(TARGETS[:5])
    assert short.notes[-1] == "No test: 5 data sets: the test needs 6."
    assert [row.cells[1] for row in short.rows] == ["a, b", "c, b", "c, a"]


def test_two_methods_have_no_critical_difference(make_board, make_record):
    assert critical_tables(make_board([make_record(name, "visa", {"x": 0.5}) for name in "ab"])) == []
