"""Forest plots: one per comparison, the reference against every other method, with the numbers of the tables."""

from dataclasses import replace
from xml.etree import ElementTree

from zsadbench.compare.tables.significance import significance_tables
from zsadbench.selection import Selection
from zsadbench_reports.html.forest import forest_figures

TARGETS = ("visa", "btad", "mpdd", "dagm", "dtd", "mvtec")
HOSTILE = '<b>&"'
LEVELS = {"fbclip": 0.9, "afclip": 0.85, HOSTILE: 0.7}


def board_of(make_board, make_record, targets):
    return make_board(
        [
            make_record(name, target, {"x": level + number / 100, "y": level})
            for name, level in LEVELS.items()
            for number, target in enumerate(targets)
        ]
    )


def texts(figure):
    root = ElementTree.fromstring(str(figure.svg).replace("<svg ", '<svg xmlns:xlink="x" ', 1))
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]


def test_each_difference_stands_with_its_interval_and_p(make_board, make_record):
    board = board_of(make_board, make_record, TARGETS)
    figures = forest_figures(board)
    assert len(figures) == 4
    shown = " ".join(" ".join(texts(figures[0])).split())
    table = next(table for table in significance_tables(board) if table.key == "reference-1-image_auroc")
    for row in table.rows:
        _, difference, interval, _, p = row.cells
        low, high = interval.split(" to ")
        assert f"{difference} [{low}, {high}], p = {p}" in shown
    assert "fbclip" in figures[0].caption
    assert "over 6 industrial data sets" in figures[0].caption
    assert "after Holm's correction over these 2 comparisons" in figures[0].caption


def test_a_named_reference_and_few_data_sets(make_board, make_record):
    board = replace(board_of(make_board, make_record, TARGETS[:3]), selection=Selection(reference="afclip"))
    figure = forest_figures(board)[0]
    assert figure.caption.startswith("Differences of afclip by I-AUROC")
    assert "significant" not in figure.caption
    assert not any("p =" in text for text in texts(figure))


def test_names_are_text(make_board, make_record):
    figure = forest_figures(board_of(make_board, make_record, TARGETS))[0]
    assert HOSTILE not in str(figure.svg)
    assert any(HOSTILE in text for text in texts(figure))
