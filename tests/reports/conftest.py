"""What the tests of reports share: parsing LaTeX tables back, and the printed tables of FB-CLIP."""

import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
MARKS = {r"\zsbest": "best", r"\zssecond": "second", r"\zsapart": "apart"}


def _cell(text):
    """`(\\zsbest{91.8}, --)` → [("91.8", "best"), ("--", "")]; words stay one entry."""
    parts = text.strip().removeprefix("(").removesuffix(")").split(", ")
    return [_number(part) for part in parts]


def _number(text):
    found = re.fullmatch(r"(\\zs\w+)\{([\d.]+)\}", text)
    return (found[2], MARKS[found[1]]) if found else (text, "")


def _plain(text):
    text = re.sub(r"\\allowbreak\{\}|\\hspace\{0pt\}|\{\}", "", text)
    return re.sub(r"\\([_&%#])", r"\1", text).strip()


def _table(source):
    """Label, column names, and (block, row label) → cells of one table environment."""
    label = re.search(r"\\label\{tab:zsadbench-([\w-]+)\}", source)[1]
    body = source.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    lines = [line.removesuffix(r"\\").strip() for line in body.splitlines() if line.strip().endswith(r"\\")]
    columns = [_plain(one) for one in lines[0].split(" & ")[1:]]
    rows, block = {}, ""
    for line in lines[1:]:
        heading = re.fullmatch(r"\\multicolumn\{\d+\}\{@\{\}l\}\{\\itshape (.*)\}", line)
        if heading:
            block = _plain(heading[1])
        else:
            first, *cells = line.split(" & ")
            rows[block, _plain(first)] = [_cell(cell) for cell in cells]
    return label, columns, rows


@pytest.fixture(scope="session")
def parse_tex():
    """`parse_tex(text)` maps the key of each table to its columns and rows."""

    def parse(text):
        sources = re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, re.DOTALL)
        return {label: (columns, rows) for label, columns, rows in map(_table, sources)}

    return parse


@pytest.fixture(scope="session")
def golden():
    """`golden(name)` is a printed table, held apart from the numbers that the package ships: lines of cells."""

    def read(name):
        lines = (GOLDEN / f"{name}.txt").read_text().splitlines()[1:]
        return [[cell.strip() for cell in line.split("|")] for line in lines]

    return read
