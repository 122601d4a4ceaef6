"""Ablation tables of measured methods: what belongs together, the baseline, ticks, differences and intervals."""

from dataclasses import replace

import pandas as pd
import pytest

from zsadbench.compare.significance.pair import pairings
from zsadbench.compare.tables.own_ablation import own_ablation_tables
from zsadbench.selection import Selection

COLUMNS = [*("I-AUROC", "difference", "I-AP", "difference", "P-AUROC", "difference", "AUPRO", "difference")]
LEARNED = {"name": "mvtec", "fingerprint": "c" * 64}


@pytest.fixture
def runs(make_record):
    """`runs(("winclip", "visa", {options}, value), …)`: records with one class `x` and one of half its value."""

    def make(*described, **changes):
        return [
            make_record(method, target, {"x": value, "y": value / 2}, options=options, **changes)
            for method, target, options, value in described
        ]

    return make


SWEPT = [
    ("winclip", "visa", {"temperature": 0.1}, 0.8),
    ("winclip", "visa", {"period": False}, 0.6),
    ("winclip", "visa", {}, 0.7),
    ("winclip", "visa", {"period": False, "temperature": 0.01}, 0.9),
]


def test_the_baseline_is_first_then_fewer_changes_then_smaller_values(make_board, runs):
    (table,) = own_ablation_tables(make_board(runs(*SWEPT)))
    assert table.key == "ablation_winclip"
    assert set(table.switches) == {"temperature", "period"}
    ticks = [dict(zip(table.switches, row.ticks, strict=True)) for row in table.rows]
    assert [(tick["period"], tick["temperature"]) for tick in ticks] == [
        (True, "0.07"),
        (False, "0.07"),
        (True, "0.1"),
        (False, "0.01"),
    ]
    place = table.switches.index("period")
    assert [table.names_of(row)[place] for row in table.rows] == ["✓", "", "✓", ""]


def test_differences_are_from_the_baseline_with_the_intervals_of_compare(make_board, runs):
    board = make_board(runs(*SWEPT))
    (table,) = own_ablation_tables(board)
    assert list(table.columns) == COLUMNS
    first, second, *_ = table.rows
    assert [cell for cell in first.cells if isinstance(cell, str)] == ["-"] * 4
    assert second.cells[0][0].value == pytest.approx(100 * (0.6 + 0.3) / 2)
    (found,) = pairings(board, "winclip [period=false]", "winclip")
    (line,) = [line for line in found.lines if (line.class_name, line.metric) == ("mean", "image_auroc")]
    gap = second.cells[1]
    assert (gap.points, gap.low / 100, gap.high / 100) == pytest.approx((line.points, *line.interval))
    assert gap == f"{line.points:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}]"
    assert gap.low < gap.points < gap.high


def test_the_selection_names_another_baseline(make_board, runs):
    board = replace(make_board(runs(*SWEPT)), selection=Selection(reference="winclip [temperature=0.1]"))
    (table,) = own_ablation_tables(board)
    assert table.rows[0].ticks[table.switches.index("temperature")] == "0.1"
    assert {"-"} == {cell for cell in table.rows[0].cells if isinstance(cell, str)}


def test_a_mean_over_data_sets_has_differences_of_the_mean(make_board, runs):
    records = runs(
        ("winclip", "visa", {}, 0.7),
        ("winclip", "btad", {}, 0.5),
        ("winclip", "visa", {"temperature": 0.1}, 0.8),
        ("winclip", "btad", {"temperature": 0.1}, 0.9),
    )
    (table,) = own_ablation_tables(make_board(records))
    assert list(dict.fromkeys(row.block for row in table.rows)) == ["VisA", "BTAD", "mean of 2 data sets"]
    *_, base, swept = table.rows
    assert base.cells[0][0].value == pytest.approx(100 * 0.75 * 0.6)
    assert swept.cells[1].points == pytest.approx(100 * 0.75 * 0.25)
    assert swept.cells[1].low <= swept.cells[1].points <= swept.cells[1].high


@pytest.mark.parametrize(
    "changes",
    [{"image_size": 336}, {"weights_sha256": "d" * 64}, {"code": {"method": "other"}}, {"limit": 3}, {"shots": 4}],
)
def test_runs_that_differ_in_more_than_options_are_no_ablation(make_board, runs, changes):
    records = runs(("winclip", "visa", {}, 0.7)) + runs(("winclip", "visa", {"temperature": 0.1}, 0.8), **changes)
    assert own_ablation_tables(make_board(records)) == []


def test_runs_that_learned_from_other_sets_are_no_ablation(make_board, runs):
    recipe = {"lr": 1e-3, "epochs": 3}
    first = runs(("fbclip", "visa", {}, 0.7), aux=LEARNED, recipe=recipe)
    other = runs(("fbclip", "visa", {"context": 4}, 0.8), aux={**LEARNED, "name": "btad"}, recipe=recipe)
    same = runs(("fbclip", "visa", {"context": 4}, 0.8), aux=LEARNED, recipe=recipe)
    assert own_ablation_tables(make_board(first + other)) == []
    (table,) = own_ablation_tables(make_board(first + same))
    assert table.switches == ("context",)


def test_fields_of_the_recipe_are_options_too(make_board, runs):
    described = ("fbclip", "visa", {}, 0.7)
    records = [
        record
        for lr in (1e-2, 1e-3)
        for record in runs(described, aux=LEARNED, recipe={"lr": lr, "epochs": 3, "batch": 8})
    ]
    (table,) = own_ablation_tables(make_board(records))
    assert table.switches == ("recipe.lr",)
    assert [row.ticks for row in table.rows] == [("0.001",), ("0.01",)]


def test_runs_without_a_common_data_set_make_no_table(make_board, runs):
    records = runs(("winclip", "visa", {}, 0.7), ("winclip", "btad", {"temperature": 0.1}, 0.8))
    assert own_ablation_tables(make_board(records)) == []


def test_a_method_that_is_not_installed_shows_what_the_records_say(make_board, runs):
    records = runs(
        ("theirs", "visa", {"width": 4}, 0.7), ("theirs", "visa", {}, 0.6), ("theirs", "visa", {"width": 2}, 0.8)
    )
    (table,) = own_ablation_tables(make_board(records))
    assert [row.ticks for row in table.rows] == [("default",), ("2",), ("4",)]


def test_the_table_is_written_in_every_format(make_board, runs, tmp_path):
    from zsadbench_reports.latex import write_latex
    from zsadbench_reports.markdown import write_markdown
    from zsadbench_reports.tidy import write_tidy

    board = make_board(runs(*SWEPT))
    write_latex(board, tmp_path, None)
    alone = (tmp_path / "tables" / "ablation_winclip.tex").read_text()
    assert r"\zstick{}" in alone
    assert r"\label{tab:zsadbench-alone-ablation-winclip}" in alone
    write_markdown(board, tmp_path, None)
    assert "### winclip: ablation of its options. Measured:" in (tmp_path / "table.md").read_text()
    assert tmp_path / "tables" / "ablation_winclip.csv" in write_tidy(board, tmp_path, None)
    frame = pd.read_csv(tmp_path / "tables" / "ablation_winclip.csv")
    assert list(frame["data set"]) == ["VisA"] * 4
    assert list(frame["period"]) == [True, False, True, False]
    assert frame["I-AUROC difference"].tolist()[1:] == pytest.approx([-7.5, 7.5, 15.0])
    assert (frame["I-AUROC low"][1:] <= frame["I-AUROC difference"][1:]).all()
