"""A table → samples: one row a sample, in csv or json. A table is untrusted: its paths stay below the root."""

import csv
import json
import posixpath
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data.card import Card, TableLayout
from zsadbench.data.rules import unknown_class
from zsadbench.data.sample import Reading, Sample, kind
from zsadbench.data.template import captures, fill
from zsadbench.data.tree import Tree
from zsadbench.errors import DataError


class Row(NamedTuple):
    """One row: its values by our column names, the table's name, and the row's place in it, for messages."""

    values: dict[str, Any]
    table: str
    where: str


def read_table(card: Card, layout: TableLayout, tree: Tree) -> Reading:
    """Every sample that the table names; those whose image is not there apart.

    A row that repeats another is read once.

    Raises:
        DataError: the table is missing or malformed, a class or a label is unknown, a path leaves the root,
            or two rows contradict each other about one image.
    """
    samples: dict[str, Sample] = {}
    absent: dict[str, Sample] = {}
    for row in _rows(card, layout, tree):
        sample = _sample(card, layout, row, tree)
        kept = samples if tree.find(sample.image) else absent
        if kept.setdefault(sample.image, sample) != sample:
            raise DataError(f"{row.where}: names '{sample.image}' a second time, and otherwise")
    return Reading(list(samples.values()), list(absent.values()))


def _rows(card: Card, layout: TableLayout, tree: Tree) -> Iterator[Row]:
    """Every row of the one table, or of those tables of single classes that are there."""
    tables = spelled(card, layout.manifest)
    there = {name: words for name, words in tables.items() if (tree.root / name).is_file()}
    if not there:
        path, source = tree.root / next(iter(tables)), f"; take it from {layout.source}" if layout.source else ""
        raise DataError(f"{card.name}: '{path}' is missing; it names the samples of layout '{layout.name}'{source}")
    for name, values in there.items():
        read = _csv_rows if layout.format == "csv" else _json_rows
        for row in read(tree.root / name, layout):
            yield Row({"split": layout.split, **values} | row.values, name, row.where)


def spelled(card: Card, template: str) -> dict[str, dict[str, str]]:
    """What a template with `{class}` spells for each class; itself, when it holds none."""
    if "class" not in captures(template):
        return {template: {}}
    return {fill(template, {"class": name}): {"class": name} for name in card.classes}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"'{path}' cannot be read: {failure}") from failure


def _csv_rows(path: Path, layout: TableLayout) -> Iterator[Row]:
    reader = csv.DictReader(StringIO(_read(path), newline=""), strict=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for column in layout.columns.values():
            if column not in reader.fieldnames:
                raise DataError(f"'{path}' has no column '{column}', only: {', '.join(reader.fieldnames)}")
        for raw in reader:
            values = {ours: raw[theirs] for ours, theirs in layout.columns.items()}
            yield Row(values, "", f"'{path}' line {reader.line_num}")
    except csv.Error as failure:
        raise DataError(f"'{path}' line {reader.line_num}: {failure}") from failure


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
    return Row(outer | values, "", where)


def _sample(card: Card, layout: TableLayout, row: Row, tree: Tree) -> Sample:
    name = card.class_named(_text(row, "class") or next(iter(card.classes)))
    if name is None:
        raise unknown_class(card, _text(row, "class"), row.where.strip("'"))
    image = _path(card, layout, row, "image", tree)
    if not image:
        raise DataError(f"{row.where}: no image is named")
    label = _label(layout, row)
    named = _path(card, layout, row, "mask", tree) if label == 1 else ""
    mask = tree.find(named) or ""
    view, sample = _viewed(layout, image)
    return Sample(
        image=tree.find(image) or image,
        mask=mask,
        label=label,
        class_name=name,
        defect=kind(label, _text(row, "defect")),
        split=_text(row, "split").casefold(),
        wanted="" if mask else named,
        named_in=row.table,
        view=view,
        sample=sample,
    )


def _path(card: Card, layout: TableLayout, row: Row, column: str, tree: Tree) -> str:
    """The first of the layout's paths that is there, else the first; empty when the row names none.

    Where the table holds whole paths, these may have the set's own folder before them.
    """
    text = _text(row, column)
    if not text:
        return ""
    values = {"class": _text(row, "class"), "prefix": _text(row, "prefix"), "path": text.zfill(layout.digits)}
    paths = [_confined(fill(path, values), row, tree) for path in layout.paths]
    found = next((path for path in paths if tree.find(path)), None)
    if found is None and layout.paths == ("{path}",):
        found = _without_folder(card, paths[0], tree)
    return found or paths[0]


def _viewed(layout: TableLayout, image: str) -> tuple[str, str]:
    """The view and the object, from a stem `<object>_<view>_<more>`."""
    stem = posixpath.basename(image)
    cut = ((view, stem.rpartition(f"_{view}_")) for view in layout.views)
    return next(((view, before) for view, (before, found, _) in cut if found), ("", ""))


def _text(row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{row.where}: '{column}' must be a text, not {value!r}")
    return value.strip()


def _label(layout: TableLayout, row: Row) -> int:
    value = row.values.get("label")
    text = f"{value:g}" if isinstance(value, int | float) else str(value).strip()
    if text in layout.normal or (layout.maskless_normal and not _text(row, "mask")):
        return 0
    if text in layout.anomalous or (text and value is not None and not layout.anomalous):
        return 1
    raise DataError(f"{row.where}: label '{text}' is none of {', '.join((*layout.normal, *layout.anomalous))}")


def _confined(text: str, row: Row, tree: Tree) -> str:
    """The path relative to the root, which may be absolute in the table, but must not leave the root."""
    if not text or "\0" in text:
        return ""
    path = posixpath.normpath(text.replace("\\", "/"))
    for root in tree.spellings:
        if path.startswith(f"{root}/"):
            return path.removeprefix(f"{root}/")
    if path.startswith("/") or path.split("/")[0] == "..":
        raise DataError(f"{row.where}: '{text}' leaves the root '{tree.root}'")
    return path


def _without_folder(card: Card, path: str, tree: Tree) -> str | None:
    """What follows the set's own folder in `path`, where such a file is there."""
    own = {name.casefold() for name in (tree.root.name, *card.names)}
    parts = path.split("/")
    ends = ("/".join(parts[place + 1 :]) for place, part in enumerate(parts) if part.casefold() in own)
    return next((end for end in ends if tree.find(end)), None)
