"""References: one entry per paper, the keys of the cards, and an entry for every key that a table cites."""

import re

import pytest

from zsadbench import registry
from zsadbench.compare import bibliography, citations, contents_of
from zsadbench.compare.citations import cites_of, key_of, method_entry, set_entries
from zsadbench.data import all_cards
from zsadbench.data.cards.card import Card
from zsadbench.references import references


@pytest.mark.parametrize("name", registry.names("methods"))
def test_a_methods_entry_has_the_key_of_its_card(name):
    paper = registry.method_card(name).paper
    assert key_of(method_entry(name)) == ("" if paper.venue == "none" else paper.key)  # a control has no paper


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_a_data_sets_entries_have_the_keys_of_its_card(card):
    assert tuple(map(key_of, set_entries(card.name))) == card.cite


def test_two_papers_of_one_set_are_cited(make_board, make_record):
    board = make_board([make_record("own", "colondb", {"x": 0.9})])
    assert [key for _, key in cites_of(board, board.measured)] == ["tajbakhsh2015automated", "bernal2012towards"]
    assert {"tajbakhsh2015automated", "bernal2012towards"} <= set(re.findall(r"@\w+\{(\w+),", bibliography(board)))


def test_the_bibliography_is_that_of_the_table(make_board):
    text = bibliography(make_board([]))
    keys = re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE)
    assert len(keys) > 20
    assert text == "\n".join(f"{references()[key].bibtex}\n" for key in keys)


def test_a_card_with_entries_of_its_own_is_cited(monkeypatch):
    own = "@misc{loom2021,\n  title = {L}\n}\n@misc{weaver2020,\n  title = {W}\n}\n"
    card = Card(
        "fabric", "Fabric", "industrial", (), {}, (), cite=("weaver2020", "loom2021", "zou2022spot"), bibtex=own
    )
    monkeypatch.setattr(citations, "all_cards", lambda: [card])
    citations.set_entries.cache_clear()
    try:
        assert [key_of(entry) for entry in set_entries("fabric")] == ["loom2021", "weaver2020", "zou2022spot"]
    finally:
        citations.set_entries.cache_clear()


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
    assert {"jeong2023winclip", "zou2022spot", "hu2026fbclip", "radford2021learning", "zsadbench"} <= cited
    assert text.count("{") == text.count("}")


def test_a_table_names_its_methods_and_sets_as_it_prints_them(make_board, make_record):
    board = make_board([make_record("fbclip", "visa", {"x": 0.9}), make_record("own", "folder:/a", {"x": 0.9})])
    assert cites_of(board, board.measured) == (("fbclip", "hu2026fbclip"), ("VisA", "zou2022spot"))
