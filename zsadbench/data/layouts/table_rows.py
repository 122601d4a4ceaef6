"""A csv or json file → rows that know where they stand, for messages."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data.cards.layout import TableLayout
from zsadbench.errors import DataError


class Row(NamedTuple):
    """One row: its values by our column names, its place in the table, the table's fields that mean nothing to us."""

    values: dict[str, Any]
    where: str
    unknown: tuple[str, ...] = ()

    def text(self, column: str) -> str:
        """The text of a column without blanks around it; empty where the row says nothing.

        Raises:
            DataError: it is no text.
        """
        return self.raw(column).strip()

    def raw(self, column: str) -> str:
        """As `text`, with the blanks."""
        value = self.values.get(column)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise DataError(f"{self.where}: '{column}' must be a text, not {value!r}")
        return value


def rows_of(path: Path, layout: TableLayout) -> Iterator[Row]:
    """Every row of one table.

    Raises:
        DataError: the table cannot be read, lacks a column, or is malformed.
    """
    return csv_rows(path, layout) if layout.format == "csv" else _json_rows(path, layout)


def csv_header(path: Path) -> list[str]:
    """The names of the columns, without blanks around them.

    Raises:
        DataError: the table cannot be read.
    """
    return _names(csv.DictReader(StringIO(_read(path), newline="")))


def csv_rows(path: Path, layout: TableLayout) -> Iterator[Row]:
    """Every row of a csv file; `where` names the line on which it ends.

    Raises:
        DataError: the table cannot be read, lacks a column, or is malformed.
    """
    reader = csv.DictReader(StringIO(_read(path), newline=""), strict=True)
    try:
        reader.fieldnames = _names(reader)
        for column in layout.columns.values():
            if column not in reader.fieldnames:
                raise DataError(f"'{path}' has no column '{column}', only: {', '.join(reader.fieldnames)}")
        unknown = tuple(name for name in reader.fieldnames if name not in layout.columns.values())
        for raw in reader:
            where = f"'{path}' line {reader.line_num}"
            if None in raw:
                raise DataError(f"{where}: more cells than columns; a text with a comma goes into quotes")
            yield Row({ours: raw[theirs] for ours, theirs in layout.columns.items()}, where, unknown)
    except csv.Error as failure:
        raise DataError(f"'{path}' line {reader.line_num}: {failure}") from failure


def _names(reader: "csv.DictReader[str]") -> list[str]:
    return [name.strip() for name in reader.fieldnames or ()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"'{path}' cannot be read: {failure}") from failure


def _json_rows(path: Path, layout: TableLayout) -> Iterator[Row]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as failure:
        raise DataError(f"'{path}' is no JSON: {failure}") from failure
    if layout.rows == "{split}":
        yield from _split_rows(content, layout, f"'{path}'")
        return
    for split, classes in _items(content, f"'{path}'"):
        for class_name, raws in _items(classes, f"'{path}' {split}"):
            outer = {"split": split, "class": class_name}
            yield from _listed(raws, layout, outer, f"'{path}' {split}.{class_name}")


def _split_rows(content: object, layout: TableLayout, where: str) -> Iterator[Row]:
    splits = dict(_items(content, where))
    prefix = dict(_items(splits.pop("meta", {}), f"{where} meta")).get("prefix", "")
    for split, raws in splits.items():
        yield from _listed(raws, layout, {"split": split, "prefix": prefix}, f"{where} {split}")


def _listed(raws: object, layout: TableLayout, outer: dict[str, Any], where: str) -> Iterator[Row]:
    if not isinstance(raws, list):
        raise DataError(f"{where}: a list of samples is needed")
    for place, raw in enumerate(raws):
        yield _json_row(raw, layout, outer, f"{where}[{place}]")


def _items(value: object, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: an object is needed")
    return list(value.items())


def _json_row(raw: object, layout: TableLayout, outer: dict[str, Any], where: str) -> Row:
    if not isinstance(raw, dict):
        raise DataError(f"{where}: a sample must be an object")
    values = {ours: raw[theirs] for ours, theirs in layout.columns.items() if theirs in raw}
    return Row(outer | values, where, tuple(name for name in raw if name not in layout.columns.values()))
