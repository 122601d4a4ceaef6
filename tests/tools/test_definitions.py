"""The tables of docs/why-numbers-differ.md are those that tools/definitions makes."""

import re
from argparse import Namespace
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "why-numbers-differ.md"


def rows(text):
    """The cells of the tables of a text, without rules and blanks."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


@pytest.mark.slow
def test_the_page_has_the_tables_of_the_tool_and_both_paths_to_a_number_agree(tmp_path):
    from definitions.measure import tables

    made = list(tables(Namespace(out=tmp_path, limit=2, aux="none")))
    page = re.search(r"<!-- made by tools/definitions -->(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)[1]
    of_page = re.split(r"(?=^### )", page.strip(), flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in of_page] == [part.splitlines()[0] for part in made]
    labels = [[[cell for cell in row if "`" in cell] for row in rows(part)] for part in (*of_page, *made)]
    assert labels[:5] == labels[5:]  # the same methods, protocols and metrics in the same order
    protocols, variants, smoothing, images, means = map(rows, made)
    strict = {row[1]: row for row in protocols if row[0] == "`strict`"}
    raw = {row[1]: row for row in protocols if row[0] == "`strict-raw`"}
    for number, (name, row) in enumerate(strict.items()):
        assert variants[2][1 + number] == row[3]  # exact AUPRO, by the audit and by the run
        assert [line[2:] for line in smoothing if line[:2] == [name, "0"]] == [raw[name][2:4]]
        assert images[2 + number][1] == means[2 + number][1] == row[5]
