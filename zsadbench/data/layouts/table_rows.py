"""Read the rows of a CSV or JSON table; each row knows its position, for error messages."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data.cards.layout import TableLayout
from zsadbench.errors import DataError

DELIMITERS = (",", ";", "\t")


class TableRow(NamedTuple):
    """One row: its values by the column names of `TableLayout`, its position, and fields that have no meaning here."""

    values: dict[str, Any]
    where: str
    unknown: tuple[str, ...] = ()

    def text(self, column: str) -> str:
        """The text in a column without surrounding blanks; empty if the row has no value.

        Raises:
            DataError: the value is not text.
        """
        return self.raw_text(column).strip()

    def raw_text(self, column: str) -> str:
        """The text in a column with surrounding blanks; see `text`."""
        value = self.values.get(column)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise DataError(f"{self.where}: '{column}' must be a text, not {value!r}")
        return value


def read_rows(path: Path, layout: TableLayout) -> Iterator[TableRow]:
    """Read every row of one table.

    Raises:
        DataError: the table cannot be read, lacks a column, or is malformed.
    """
    return read_csv_rows(path, layout) if layout.format == "csv" else _read_json_rows(path, layout)


def read_csv_header(path: Path) -> list[str]:
    """The names of the columns of a CSV file, without surrounding blanks.

    Raises:
        DataError: the file cannot be read, or its first line is malformed.
    """
    try:
        return _column_names(_reader(path))
    except csv.Error as failure:
        raise DataError(f"'{path}' line 1: {failure}") from failure


def read_csv_rows(path: Path, layout: TableLayout) -> Iterator[TableRow]:
    """Read every row of a CSV file; `where` gives the line on which the row ends.

    Raises:
        DataError: the file cannot be read, lacks a column, or is malformed.
    """
    reader = _reader(path)
    try:
        reader.fieldnames = _column_names(reader)
        for column in layout.columns.values():
            if column not in reader.fieldnames:
                raise DataError(f"'{path}' has no column '{column}', only: {', '.join(reader.fieldnames)}")
        unknown = tuple(name for name in reader.fieldnames if name not in layout.columns.values())
        for values in reader:
            where = f"'{path}' line {reader.line_num}"
            if not any(isinstance(cell, str) and cell.strip() for cell in values.values()):
                continue  # a line of blanks or separators alone
            if None in values:
                raise DataError(f"{where}: more cells than columns; a text with a separator in it goes into quotes")
            yield TableRow({ours: values[theirs] for ours, theirs in layout.columns.items()}, where, unknown)
    except csv.Error as failure:
        raise DataError(f"'{path}' line {reader.line_num}: {failure}") from failure


def _reader(path: Path) -> "csv.DictReader[str]":
    """A reader of a table; its cells are separated by what separates most of them in the first line."""
    text = _read_text(path)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    return csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _column_names(reader: "csv.DictReader[str]") -> list[str]:
    return [name.strip() for name in reader.fieldnames or ()]


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as failure:
        raise DataError(f"'{path}' cannot be read: {failure}") from failure
    except UnicodeDecodeError as failure:
        raise DataError(f"'{path}' is no text in UTF-8; save it as UTF-8 ({failure})") from failure
    if "\0" in text:
        raise DataError(f"'{path}' is no text: it holds bytes of value 0; restore it from its source")
    return text


def _read_json_rows(path: Path, layout: TableLayout) -> Iterator[TableRow]:
    """Rows of `{split: {class: [row]}}`, or of `{split: [row], meta: {prefix: text}}`."""
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as failure:
        raise DataError(f"'{path}' is no JSON: {failure}") from failure
    where = f"'{path}'"
    if layout.rows == "{split}":
        splits = dict(_items(content, where))
        prefix = dict(_items(splits.pop("meta", {}), f"{where} meta")).get("prefix", "")
        for split, rows in splits.items():
            yield from _rows_of_list(rows, layout, {"split": split, "prefix": prefix}, f"{where} {split}")
        return
    for split, classes in _items(content, where):
        for class_name, rows in _items(classes, f"{where} {split}"):
            shared = {"split": split, "class": class_name}
            yield from _rows_of_list(rows, layout, shared, f"{where} {split}.{class_name}")


def _items(value: object, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: an object is needed")
    return list(value.items())


def _rows_of_list(rows: object, layout: TableLayout, shared: dict[str, Any], where: str) -> Iterator[TableRow]:
    """Rows of a JSON list; `shared` are values of all of them, which a row's own values replace."""
    if not isinstance(rows, list):
        raise DataError(f"{where}: a list of samples is needed")
    for index, row in enumerate(rows):
        position = f"{where}[{index}]"
        if not isinstance(row, dict):
            raise DataError(f"{position}: a sample must be an object")
        values = {ours: row[theirs] for ours, theirs in layout.columns.items() if theirs in row}
        unknown = tuple(name for name in row if name not in layout.columns.values())
        yield TableRow(shared | values, position, unknown)
