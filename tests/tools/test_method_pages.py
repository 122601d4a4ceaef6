"""The pages of the methods say what their cards say."""

import csv
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from method_pages.pages import BEGIN, DOCS, END, fresh_pages, placed

from zsadbench import registry


@pytest.fixture(scope="module")
def fresh():
    return fresh_pages()


def test_every_page_is_fresh(fresh):
    stale = [page.name for page, text in fresh.items() if page.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make method-pages`"


def test_every_method_of_a_paper_has_a_page(fresh):
    controls = {"clip", "token-distance", "colour-distance"}
    assert {page.stem for page in fresh} == {*registry.names("methods"), "methods"} - controls
    table = (DOCS / "methods.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in table for name in registry.names("methods"))


def test_the_facts_are_those_of_the_card_and_the_published_tables(fresh):
    page = fresh[DOCS / "methods" / "afclip.md"]
    assert "| trained parameters | 2,109,440: `prompts` 9,216; `adapter` 2,100,224 |" in page
    assert "| image encoder | 507 | 507 |" in page
    with files("zsadbench").joinpath("published/afclip.csv").open(encoding="utf-8") as opened:
        counts = Counter(row["computed_by"] for row in csv.DictReader(opened) if row["method"] == "afclip")
    assert f"- AF-CLIP, tables 1, 2, 3, 4, 5, 6: {counts['original']}, by the authors of the method" in page


def test_both_stages_of_a_training_count(fresh):
    assert "`text` 2,359,296; `image` 10,223,616" in fresh[DOCS / "methods" / "aaclip.md"]


def test_only_what_is_between_the_marks_is_replaced():
    text = f"before\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n"
    assert placed(text, "new") == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert placed(placed(text, "new"), "new") == placed(text, "new")
    assert placed("page\n", "new") == f"page\n\n{BEGIN}\n\nnew\n\n{END}\n"
