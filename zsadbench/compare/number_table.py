"""Read a table of published numbers that somebody wrote as CSV, and find all of its faults.

A row is one number as a paper prints it, accuracies in percent. `NUMBERS` are the columns on the number and on how it
was computed, `SOURCE` those on the paper, for a file that does not lie beside a description of its papers. Columns with
a default may be left out, and so may their cells.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.card_faults import WEB, YEARS
from zsadbench.compare.frame import COSTS, HEADINGS, MEASURED, METRIC_OF_AUPRO, UNKNOWN, is_cost
from zsadbench.data import all_cards
from zsadbench.errors import DataError, unknown

if TYPE_CHECKING:
    from zsadbench.data.cards.card import Card

NEEDED = None  # the default of a column that every row needs
NUMBERS: Mapping[str, str | None] = {
    **{"table": "1", "method": NEEDED, "variant": "", "label": "", "target": "", "class": "", "shots": "0"},
    **{"metric": NEEDED, "value": NEEDED, "spread": ""},
    **{"protocol": UNKNOWN, "aupro": "", "split": UNKNOWN, "smoothing": UNKNOWN, "backbone": UNKNOWN},
    **{"aux": UNKNOWN, "image_size": UNKNOWN, "computed_by": UNKNOWN, "note": ""},
}
SOURCE: Mapping[str, str | None] = {
    **{"paper": NEEDED, "paper_title": NEEDED, "paper_venue": "", "paper_year": "", "paper_url": ""},
    "table_title": "",
}
METRICS = ("pixel_aupro", *(name for name in HEADINGS if not name.startswith("pixel_aupro")), *COSTS)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")  # of a paper or a table: part of file names and of PAPER:tableN
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
WHOLE = re.compile(r"[0-9]{1,9}")
DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]+")
LONGEST = 400  # letters of a cell
AT_ONCE = 100  # faults that one message names
Row = dict[str, str]


@dataclass
class NumberTable:
    """The rows of a file as text, and its faults.

    `name` is the file's for messages, `columns` are what it may have; `look_up` says whether data sets, classes and
    protocols must be known here.
    """

    name: str
    columns: Mapping[str, str | None]
    look_up: bool = True
    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @cached_property
    def cards(self) -> Mapping[str, Card]:
        """The cards of data sets by name and alias, in lower case."""
        return {name.casefold(): card for card in all_cards() for name in (card.name, *card.aliases)}

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """The names of all protocols, and `unknown`."""
        return (UNKNOWN, *(protocol.name for protocol in registry.protocols()))

    def add(self, line: int, what: str) -> None:
        """Note a fault of one line."""
        self.faults.append(f"'{self.name}', line {line}: {what}")

    def check(self) -> None:
        """Raise all faults as one error, each on a line.

        Raises:
            DataError: there are faults.
        """
        if self.faults:
            more = len(self.faults) - AT_ONCE
            left = [f"'{self.name}': {more} more faults"] if more > 0 else []
            raise DataError("\nerror: ".join([*self.faults[:AT_ONCE], *left]))


def read_number_table(
    content: bytes, name: str, columns: Mapping[str, str | None], *, look_up: bool = True
) -> list[Row]:
    """Read the rows of a file; a byte order mark is skipped.

    Args:
        content: of the file.
        name: of the file, for messages.
        columns: those that the file may have: `NUMBERS`, alone or with `SOURCE`.
        look_up: whether data sets, classes and protocols must be known here.

    Raises:
        DataError: the file has faults; the message has all of them, with the number of their line.
    """
    table = NumberTable(name, columns, look_up)
    for line, row in _lines(table, content):
        found = len(table.faults)
        _check_row(table, line, row)
        if len(table.faults) == found:
            table.rows.append(row | {"line": str(line)})
    if not table.faults:
        _check_together(table)
    table.check()
    return table.rows


def _lines(table: NumberTable, content: bytes) -> Iterator[tuple[int, Row]]:
    """Yield line number and cells of every row that has the columns; white space at the ends of cells is removed."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        table.add(1, "this is no UTF-8; save it as 'CSV UTF-8'")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not any(header):
            table.add(1, "it is empty; its first line names the columns")
            return
        if not _has_header(table, header):
            return
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                hint = "write 92.4, not 92,4, and quote texts with commas" if len(cells) > len(header) else "add commas"
                table.add(reader.line_num, f"{len(cells)} cells for {len(header)} columns; {hint}")
                continue
            row = {column: default or "" for column, default in table.columns.items()}
            yield (
                reader.line_num,
                row | {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()},
            )
    except csv.Error as failure:
        table.add(reader.line_num, f"no CSV: {failure}")
        return
    if not table.rows and not table.faults:
        table.add(1, "no row below the columns")


def _has_header(table: NumberTable, header: Sequence[str]) -> bool:
    """Note the faults of the first line; return whether it has none."""
    for sign, what in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and sign in header[0]:
            table.add(1, f"columns are separated by {what}; export with commas, and with a point in 92.4")
            return False
    for name in dict.fromkeys(header):
        if name not in table.columns:
            near = get_close_matches(name, table.columns, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(table.columns)}"
            table.add(1, f"unknown column '{name}'; {hint}")
        elif header.count(name) > 1:
            table.add(1, f"the column '{name}' occurs {header.count(name)} times")
    for name, default in table.columns.items():
        if default is NEEDED and name not in header:
            table.add(1, f"the column '{name}' is missing")
    return not table.faults


def _check_row(table: NumberTable, line: int, row: Row) -> None:
    """Complete one row and note its faults."""
    for name, cell in row.items():
        if any(not letter.isprintable() for letter in cell) or len(cell) > LONGEST:
            table.add(line, f"'{name}' has a line break or control character, or more than {LONGEST} letters")
        if table.columns[name] is NEEDED and not cell:
            table.add(line, f"'{name}' is empty")
    row["label"] = row["label"] or row["method"]
    if row["metric"] and row["metric"] not in METRICS:
        table.add(line, f"{unknown('metric', row['metric'], METRICS)}{_on_aupro(row['metric'])}")
    elif row["metric"]:
        for name in ("value", "spread"):
            if row[name] and (fault := _fault_of_number(row[name], row["metric"])):
                table.add(line, f"'{name}' is '{row[name]}'; {fault}")
        _check_place(table, line, row)
    _check_conditions(table, line, row)
    _check_source(table, line, row)


def _on_aupro(metric: str) -> str:
    return "; the variant of AUPRO stands in the column 'aupro'" if metric.startswith("pixel_aupro") else ""


def _fault_of_number(text: str, metric: str) -> str:
    """What is wrong with a number; empty where nothing is."""
    if DECIMAL_COMMA.fullmatch(text):
        return f"that is a decimal comma; write {text.replace(',', '.')}"
    if not NUMBER.fullmatch(text):
        return "it must be a number as printed, such as 92.4"
    if not is_cost(metric) and float(text) > 100:
        return "accuracies are in percent, from 0 to 100"
    if not math.isfinite(float(text)):
        return "it is too large"
    return ""


def _check_place(table: NumberTable, line: int, row: Row) -> None:
    """Check data set and class of a number, and give the data set the name of its card."""
    if is_cost(row["metric"]):
        if row["target"] or row["class"]:
            table.add(line, f"'{row['metric']}' is a cost, which has neither target nor class")
        return
    row["class"] = row["class"] or "mean"
    if row["target"].startswith(("folder:", "csv:")) or not table.look_up:
        return
    card = table.cards.get(row["target"].casefold())
    if card is None:
        table.add(line, str(unknown("data set", row["target"], table.cards)) if row["target"] else "'target' is empty")
        return
    row["target"] = card.name
    if row["class"] not in {"mean", *card.classes}:
        table.add(line, str(unknown(f"class of {card.name}", row["class"], ["mean", *card.classes])))


def _check_conditions(table: NumberTable, line: int, row: Row) -> None:
    """Check how a number was computed; what does not apply to it is made empty."""
    for name in ("protocol", "split", "smoothing") if is_cost(row["metric"]) else ("smoothing",):
        if row[name] == UNKNOWN and not row["metric"].startswith("pixel_"):
            row[name] = ""  # it does not apply
    if row["metric"] == "pixel_aupro":
        row["aupro"] = row["aupro"] or UNKNOWN
    if row["aupro"] and (row["metric"] != "pixel_aupro" or row["aupro"] not in METRIC_OF_AUPRO):
        table.add(line, f"'aupro' is '{row['aupro']}'; for pixel_aupro it is one of {', '.join(METRIC_OF_AUPRO)}")
    if table.look_up and row["protocol"] and row["protocol"] not in table.protocols:
        table.add(line, str(unknown("protocol", row["protocol"], table.protocols)))
    for name, other in (("shots", "full"), ("image_size", UNKNOWN)):
        if row[name] not in {other, ""} and not WHOLE.fullmatch(row[name]):
            table.add(line, f"'{name}' is '{row[name]}'; it is a whole number or '{other}'")


def _check_source(table: NumberTable, line: int, row: Row) -> None:
    """Check what is said of the paper of a number."""
    for name in ("paper", "table"):
        if row.get(name) and not NAME.fullmatch(row[name]):
            table.add(line, f"'{name}' is '{row[name]}'; it takes letters, digits and _.+-")
    if row.get("paper") == MEASURED:
        table.add(line, f"'paper' cannot be '{MEASURED}'")
    year = row.get("paper_year", "")
    if year and not (WHOLE.fullmatch(year) and YEARS[0] <= int(year) <= YEARS[1]):
        table.add(line, f"'paper_year' is '{year}'; it is a year such as 2026")
    if row.get("paper_url") and not WEB.fullmatch(row["paper_url"]):
        table.add(line, f"'paper_url' is '{row['paper_url']}'; it begins with https:// or http://")


def _check_together(table: NumberTable) -> None:
    """Check rows against each other: repeated numbers, fractions in place of percent, other facts of one paper."""
    first: dict[tuple[str, ...], str] = {}
    facts: dict[tuple[str, ...], tuple[str, str]] = {}
    for row in table.rows:
        line, paper = int(row["line"]), row.get("paper", "")
        place = tuple(row[name] for name in ("table", "label", "shots", "target", "class", "metric"))
        if (earlier := first.setdefault((paper, *place), row["line"])) != row["line"]:
            table.add(line, f"a second number for what line {earlier} has: {', '.join(filter(None, place))}")
        for name in ("paper_title", "paper_venue", "paper_year", "paper_url", "table_title"):
            about = (paper, row["table"] if name == "table_title" else "", name)
            value, said = facts.setdefault(about, (row.get(name, ""), row["line"]))
            if value != row.get(name, ""):
                table.add(line, f"'{name}' is '{row[name]}', but '{value}' in line {said}; say it alike in every row")
    values = [float(row["value"]) for row in table.rows if not is_cost(row["metric"])]
    if len(values) > 1 and max(values) <= 1:
        table.add(int(table.rows[0]["line"]), "all accuracies of the file are at most 1; write percent, 92.4 for 0.924")
