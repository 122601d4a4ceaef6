"""Tables of significance from records: tests, intervals from the scores of images, and records that are left out."""

from dataclasses import replace

import pytest

from zsadbench.compare.significance.comparisons import comparison_results
from zsadbench.compare.tables.significance import critical_tables, significance_tables
from zsadbench.selection import Selection

TARGETS = ("visa", "btad", "mpdd", "dagm", "dtd", "mvtec")


def tables_of(board):
    return {table.key: table for table in significance_tables(board)}


def test_fewer_than_six_data_sets_are_said(make_board, make_record):
    records = [
        make_record(name, target, {"x": value}) for name, value in (("a", 0.9), ("b", 0.8)) for target in TARGETS[:2]
    ]
    table = tables_of(make_board(records))["significance-1-pixel_auroc"]
    assert [(row.label, row.cells) for row in table.rows] == [
        ("a against b", ("2", "+10.0", "+10.0 to +10.0", "-", "-"))
    ]
    assert "Fewer than 6 data sets: no test over data sets." in table.notes
    assert "Rank intervals over 2 industrial data sets: a 1-2, b 1-2." in table.notes
    assert "Smallest p that 2 data sets allow: 0.500, which is above 0.05." in table.notes


def test_six_data_sets_are_tested(make_board, make_record):
    records = [
        make_record(name, target, {"x": value + number / 100})
        for name, value in (("a", 0.9), ("b", 0.8))
        for number, target in enumerate(TARGETS)
    ]
    table = tables_of(make_board(records))["significance-1-image_auroc"]
    assert table.rows[0].cells[3:] == ("0.031", "0.031")
    assert "Smallest p that 6 data sets allow: 0.031." in table.notes
    assert "Rank intervals over 6 industrial data sets: a 1-1, b 2-2." in table.notes


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
    assert [(row.label, row.cells[0][0].text, *row.cells[1:]) for row in table.rows] == [
        ("c", "1.00", "1-3", "a"),
        ("a", "2.00", "1-3", "c, b"),
        ("b", "3.00", "1-3", "a"),
    ]
    assert table.notes[-1] == "6 data sets: Friedman p = 0.002; critical difference 1.35 ranks."
    short = ranked(TARGETS[:5])
    assert short.notes[-1] == "No test: 5 data sets: the test needs 6."
    assert [row.cells[2] for row in short.rows] == ["a, b", "c, b", "c, a"]


def test_two_methods_have_no_critical_difference(make_board, make_record):
    assert critical_tables(make_board([make_record(name, "visa", {"x": 0.5}) for name in "ab"])) == []


LEVELS = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}
MEDICAL = ("headct", "brainmri", "isic")


def in_order(make_record, names, targets):
    """Records in which every method is better than the next on every data set."""
    return [
        make_record(name, target, {"x": LEVELS[name] + number / 100})
        for name in names
        for number, target in enumerate(targets)
    ]


def test_all_pairs_of_few_data_sets_cannot_be_significant_but_one_reference_can(make_board, make_record):
    tables = tables_of(make_board(in_order(make_record, "abc", (*TARGETS, "headct"))))
    every, reference = (tables[f"{name}-1-image_auroc"] for name in ("significance", "reference"))
    said = "Smallest p that 7 data sets allow: 0.016; after Holm's correction over {} comparisons ({}): {}."
    assert said.format(3, "all pairs", "0.047") in every.notes
    assert said.format(2, "one reference", "0.031") in reference.notes
    assert [(row.label, row.cells[1], *row.cells[3:]) for row in reference.rows] == [
        ("a against b", "+10.0", "0.016", "0.031"),
        ("a against c", "+20.0", "0.016", "0.031"),
    ]
    four = tables_of(make_board(in_order(make_record, "abcd", (*TARGETS, "headct"))))["significance-1-image_auroc"]
    assert "over 6 comparisons (all pairs): 0.094, so that no difference can be significant." in " ".join(four.notes)


def test_a_reference_is_named_or_has_the_best_mean(make_board, make_record):
    board = make_board(in_order(make_record, "abc", TARGETS))
    chosen = tables_of(board)["reference-1-image_auroc"]
    assert any("chosen after measuring" in note for note in chosen.notes)
    named = tables_of(replace(board, selection=Selection(reference="b")))["reference-1-image_auroc"]
    assert [(row.label, row.cells[1], row.cells[2]) for row in named.rows] == [
        ("b against a", "-10.0", "-10.0 to -10.0"),
        ("b against c", "+10.0", "+10.0 to +10.0"),
    ]
    assert not any("chosen after measuring" in note for note in named.notes)
    assert "reference-1-image_auroc" not in tables_of(replace(board, selection=Selection(reference="winclip")))


def test_ranks_are_over_all_domains_and_within_each_and_say_which(make_board, make_record):
    records = [
        *in_order(make_record, "abc", TARGETS[:4]),
        *(make_record(name, target, {"x": 1 - LEVELS[name]}) for name in "abc" for target in MEDICAL),
    ]
    found = {table.key: table for table in critical_tables(make_board(records)) if "image_auroc" in table.key}
    assert {key: table.caption.partition(". Measured")[0] for key, table in found.items()} == {
        "ranks-1-image_auroc": "Mean ranks by I-AUROC over 7 data sets (4 industrial, 3 medical)",
        "ranks-1-image_auroc-industrial": "Mean ranks by I-AUROC over 4 industrial data sets",
        "ranks-1-image_auroc-medical": "Mean ranks by I-AUROC over 3 medical data sets",
    }
    ranks = {key: {row.label: row.cells[0][0].value for row in table.rows} for key, table in found.items()}
    assert ranks["ranks-1-image_auroc-industrial"] == {"a": 1, "b": 2, "c": 3}
    assert ranks["ranks-1-image_auroc-medical"] == {"a": 3, "b": 2, "c": 1}
    assert ranks["ranks-1-image_auroc"]["a"] == pytest.approx((4 * 1 + 3 * 3) / 7)


def test_the_bootstrap_of_a_board_runs_once(make_board, make_record):
    board = make_board(in_order(make_record, "abc", TARGETS))
    assert comparison_results(board) is comparison_results(board)
