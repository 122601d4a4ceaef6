"""References: one entry per paper, the keys of the cards, and an entry for every key that a table cites."""

import re

import pytest

from zsadbench import registry
from zsadbench.compare import bibliography, contents_of
from zsadbench.compare.citations import cites_of, key_of, method_entry
from zsadbench.data import all_cards


@pytest.mark.parametrize("name", registry.names("methods"))
def test_a_methods_entry_has_the_key_of_its_card(name):
    paper = registry.method_card(name).paper
    assert key_of(method_entry(name)) == ("" if paper.venue == "none" else paper.key)  # a control has no paper


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_a_data_sets_entry_has_the_key_of_its_card(card):
    assert key_of(card.bibtex.strip()) == card.cite


def test_every_printed_method_has_an_entry(make_board):
    assert {name for name in make_board([]).frame["method"].unique() if not method_entry(name)} == set()


def test_everything_cited_stands_in_the_bibliography_once(make_board, make_record):
    board = make_board([make_record("clip", "demo", {"x": 0.9}, aux={"name": "demo-aux"})])
    text = bibliography(board)
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)
    tables = contents_of(board)
    cited = {key for table in [*tables.all(), *tables.main] for _, key in table.cites}
    assert cited <= set(keys)
    assert {"jeong2023winclip", "zou2022spot", "fbclip2026", "radford2021learning", "zsadbench"} <= cited
    assert text.count("{") == text.count("}")


def test_a_table_names_its_methods_and_sets_as_it_prints_them(make_board, make_record):
    board = make_board([make_record("fbclip", "visa", {"x": 0.9}), make_record("own", "folder:/a", {"x": 0.9})])
    assert cites_of(board, board.measured) == (("fbclip", "fbclip2026"), ("VisA", "zou2022spot"))
