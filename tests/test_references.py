"""References: what is printed of a publication equals the verified table; nothing is printed that it does not hold."""

import ast
import csv
import os
import re
from pathlib import Path

import pytest

from zsadbench import registry
from zsadbench.data import all_cards
from zsadbench.references import Reference, references

ROOT = Path(__file__).parents[1]
UNVERIFIED = {"ksdd", "ksdd2", "mvtec2"}  # no verified reference is known
SHORT = {  # venues as cards print them → a part of the venue's full name
    "CVPR": "(CVPR)",
    "ECCV": "(ECCV)",
    "ICCV": "(ICCV)",
    "ICLR": "(ICLR)",
    "ICML": "(ICML)",
    "ACM MM": "(ACM MM)",
    "arXiv": "arXiv preprint",
}
SOURCES = [
    path
    for folder in ("zsadbench", "methods", "datasets", "reports", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
CITED = re.compile(r'[A-Z]\. (?:[A-Z]\. )*[A-Za-zšŠ ]+?(?: et al\.)?, "([^"]{12,})"')  # J. Author …, "Title"
ALL_UNVERIFIED = {"zhu2004recall", "zauner2010"}
WITHOUT_TITLE = {"facebook2019pdq", "kitamura2018headct", "chakrabarty2019brainmri"}  # its title is not verified
WITHOUT_ROW = {"anomalydino", "mrad-tf", "musc"}  # title and authors are not verified: the card names the repository
REAL_DATA = os.environ.get("ZSADBENCH_REAL_DATA", "")


def plain(text):
    """Lower-case letters and digits of a text."""
    return "".join(char for char in text.casefold() if char.isalnum())


def cited_titles(text):
    return CITED.findall(" ".join(text.split()))


@pytest.mark.parametrize("name", registry.names("methods"))
def test_the_paper_of_a_card_is_that_of_the_table(name):
    paper = registry.method_card(name).paper
    if paper.venue == "none":  # a control has no paper
        assert paper.authors == ()
        return
    if name in WITHOUT_ROW:
        assert paper.authors == ()
        assert paper.url == paper.code
        assert paper.code.startswith(f"https://github.com/{paper.code.split('/')[3]}/{paper.title}")
        return
    row = references()[paper.key]
    assert (paper.title, paper.authors, paper.year, paper.url, paper.code) == (
        *(row.title, row.authors, row.year, row.url, row.code),
    )
    assert SHORT[paper.venue] in row.venue


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_a_data_set_cites_rows_of_the_table(card):
    if card.name in UNVERIFIED:
        assert not card.cite
        return
    assert card.cite
    assert card.generated or (set(card.cite) <= references().keys() and not card.bibtex and not card.doi)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "methods").glob("*.md")), ids=lambda path: path.stem)
def test_the_page_of_a_method_prints_its_reference(path):
    paper, text = registry.method_card(path.stem).paper, " ".join(path.read_text(encoding="utf-8").split())
    assert f"*{paper.title}*, {paper.venue} {paper.year}." in text
    assert not paper.authors or f"By {', '.join(paper.authors)}." in text


def test_titles_in_docstrings_and_docs_are_those_of_the_table():
    titles = {plain(row.title) for row in references().values()}
    found = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
        found |= {title: path for node in nodes for title in cited_titles(ast.get_docstring(node) or "")}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        found |= dict.fromkeys(cited_titles(path.read_text(encoding="utf-8")), path)
    assert len(found) >= 5  # the pattern finds them
    assert {title: path for title, path in found.items() if plain(title) not in titles} == {}


def test_a_title_that_is_cut_is_found():
    assert cited_titles('by P. Bergmann et\nal., "The MVTec anomaly dataset", 2021') == ["The MVTec anomaly dataset"]
    assert cited_titles('D. H. Douglas and T. K. Peucker, "Algorithms for the", 1973') == ["Algorithms for the"]


def row_of(**changes):
    row = {"key": "k", "title": "T", "authors": "A B; C D", "venue": "", "year": "2020", "doi": "", "arxiv": ""}
    return Reference.of(row | {"url": "", "code": ""} | changes)


@pytest.mark.parametrize(
    ("venue", "kind", "lines"),
    [
        ("Radiology 143(1), pp. 29-36", "article", ["journal = {Radiology}", "volume = {143}", "number = {1}"]),
        ("Graphics 43, pp. 99-111", "article", ["journal = {Graphics}", "volume = {43}", "pages = {99--111}"]),
        ("arXiv preprint arXiv:1605.01397", "article", ["journal = {arXiv preprint arXiv:1605.01397}"]),
        (
            "European Conference on Vision (ECCV), Springer, pp. 1-2",
            "inproceedings",
            ["booktitle = {European Conference on Vision (ECCV)}", "publisher = {Springer}", "pages = {1--2}"],
        ),
        ("DAGM Symposium 2007", "inproceedings", ["booktitle = {DAGM Symposium 2007}"]),
        ("Kaggle", "misc", ["howpublished = {Kaggle}"]),
    ],
)
def test_the_kind_of_an_entry_follows_from_the_venue(venue, kind, lines):
    entry = row_of(venue=venue).bibtex
    assert entry.startswith(f"@{kind}{{k,\n")
    assert {"title = {{T}}", "author = {A B and C D}", "year = {2020}", *lines} <= set(re.split(r",?\n\s*", entry))


def test_an_entry_is_ascii_with_its_identifiers():
    entry = row_of(title="M — N & Å", authors="Š Ö", venue="Kaggle", doi="10.1/x_y", arxiv="1.2", url="u").bibtex
    assert entry.isascii()
    assert r"title = {{M --- N \& {\r{A}}}}" in entry
    assert r"author = {{\v{S}} {\"O}}" in entry
    assert "doi = {10.1/x_y}" in entry
    assert "eprint = {1.2}" in entry
    assert "url" not in entry


@pytest.mark.parametrize("row", references().values(), ids=lambda row: row.key)
def test_every_row_makes_a_complete_entry(row):
    entry = row.bibtex
    assert entry.isascii()
    assert entry.count("{") == entry.count("}")
    assert all(row.authors)
    assert 1970 < row.year < 2100
    for remark in ("(CVF)", " = ", "today", "v3", "README", ";", "unofficial", "data:"):
        assert remark not in f"{row.title}{row.venue}{row.url}{row.code}"


@pytest.mark.skipif(not REAL_DATA, reason="ZSADBENCH_REAL_DATA is not set")
def test_the_shipped_table_holds_the_verified_facts_and_no_others():
    with (Path(REAL_DATA) / "references.csv").open(encoding="utf-8", newline="") as stream:
        source = {row["key"]: row for row in csv.DictReader(stream)}
    assert source.keys() - references().keys() == ALL_UNVERIFIED | WITHOUT_TITLE
    for key, row in references().items():
        facts = source[key]
        unverified = facts["unverified_fields"]
        assert plain(row.title) == plain(facts["title"])
        assert str(row.year) == facts["year"][:4]
        assert facts["venue"].replace("London: ", "").startswith(row.venue.split(" (")[0].split(" 10(2)")[0])
        assert row.doi == ("" if re.search(r"\bdoi\b", unverified) else facts["doi"])
        assert row.arxiv == ("" if "arxiv (3rd" in unverified else facts["arxiv"])
        assert facts["url"].startswith(row.url)
        assert facts["code"].startswith(row.code)
        assert [name.split()[-1] for name in row.authors] == [name.split()[-1] for name in facts["authors"].split("; ")]
        if "first name" not in unverified:
            assert row.authors == tuple(facts["authors"].split("; "))
        assert "pages" not in unverified or "pp." not in row.venue or key == "wieler2007weakly"
