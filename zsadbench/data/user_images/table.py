"""`csv:PATH`: make a card for a table of images. Paths are relative to the table's folder and must stay below it.

| column | |
| --- | --- |
| `path` | the image |
| `label` | 0, normal, good or OK; 1, anomalous, anomaly, bad, defective, NOK or NG |
| `mask` | optional: the mask of an anomalous image; if one row has a mask, all anomalous rows need one |
| `class` | optional: what the image shows; without the column, one class named after the table |
| `defect` | optional: the kind of defect |
| `split` | optional: train or test; without the column, test |

Upper and lower case do not matter in names of columns and in labels. Cells are separated by commas, semicolons or tabs:
by what the first line has.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import TableLayout
from zsadbench.data.layouts.file_tree import FileLookup
from zsadbench.data.layouts.irregular import check_regular
from zsadbench.data.layouts.table_layout import read_table
from zsadbench.data.layouts.table_rows import read_csv_header, read_csv_rows
from zsadbench.errors import DataError, UsageError

PREFIX = "csv:"
REQUIRED = ("path", "label")
KNOWN = dict.fromkeys((*REQUIRED, "mask", "class", "defect", "split"))
NORMAL = ("0", "normal", "good", "ok")
ANOMALOUS = ("1", "anomalous", "anomaly", "abnormal", "bad", "defective", "nok", "ng")


def table_card(name: str) -> tuple[Card, TableLayout, Path]:
    """Make the card, the layout and the root of `csv:PATH`.

    Raises:
        UsageError: there is no path after the prefix.
        DataError: there is no such table, it lacks a column, or a column's name is almost a known name.
    """
    path = _path(name)
    layout = _layout(path, REQUIRED)
    rows = list(read_csv_rows(path, layout))
    classes = dict.fromkeys(row.text("class") or path.stem for row in rows) or {path.stem: None}
    masks = any(row.text("mask") for row in rows)
    title = f"{PREFIX}{path.stem}"
    card = Card(
        title,
        title,
        "own",
        ("image", "pixel") if masks else ("image",),
        {class_name: prompt_words(class_name) for class_name in classes},
        (layout,),
        licence="your own",
        source=str(path),
    )
    return card, layout, path.parent


def table_images(name: str) -> dict[Path, str]:
    """List the images of `csv:PATH` with the words of their classes; labels and masks are not read.

    Raises:
        UsageError: as `table_card`.
        DataError: as `table_card`, or an image does not exist, is no regular file, or lies elsewhere through a link.
    """
    path = _path(name)
    layout = _layout(path, ("path",))
    columns = {ours: column for ours, column in layout.columns.items() if ours in {"image", "class"}}
    layout = replace(layout, columns=columns, maskless_normal=True)
    classes = dict.fromkeys(row.text("class") or path.stem for row in read_csv_rows(path, layout)) or {path.stem: None}
    words = {class_name: prompt_words(class_name) for class_name in classes}
    card = Card(name, name, "own", ("image",), words, (layout,))
    content = read_table(card, layout, FileLookup(path.parent))
    if content.absent:
        first, more = content.absent[0], len(content.absent) - 1
        raise DataError(
            f"'{path.parent / first.image}' is missing (named in {first.named_in})"
            + (f", and {more} more" * bool(more))
        )
    check_regular(name, path.parent, content.samples, links=False)
    return {path.parent / sample.image: words[sample.class_name] for sample in content.samples}


def _path(name: str) -> Path:
    text = name.removeprefix(PREFIX)
    if not text.strip():
        raise UsageError(f"'{name}' names no table; write csv:PATH")
    path = Path(text).expanduser().absolute()
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises if a name is too long)
        raise DataError(f"'{path}' is no file (of the target '{name}')")
    return path


def _layout(path: Path, required: Sequence[str]) -> TableLayout:
    header = read_csv_header(path)
    columns = _columns(path, header)
    for column in required:
        if column not in columns:
            raise DataError(f"'{path}' has no column '{column}', only: {', '.join(header)}; known: {', '.join(KNOWN)}")
    for column in header:
        near = get_close_matches(column.casefold(), KNOWN.keys() - columns.keys(), n=1, cutoff=0.75)
        if column.casefold() not in KNOWN and near:
            raise DataError(f"'{path}' has a column '{column}'; if '{near[0]}' is meant, spell it so, else rename it")
    return TableLayout(
        name="csv",
        probe=(path.name,),
        manifest=path.name,
        format="csv",
        columns={"image" if name == "path" else name: column for name, column in columns.items()},
        normal=NORMAL,
        anomalous=ANOMALOUS,
        split="test",
        user_made=True,
    )


def _columns(path: Path, header: Sequence[str]) -> dict[str, str]:
    """Known name → the column as the table spells it.

    Raises:
        DataError: a column has no name, or the name of another.
    """
    if "" in header:
        raise DataError(f"'{path}': column {header.index('') + 1} has no name; name it, or remove it")
    by_name: dict[str, str] = {}
    for column in header:
        if column.casefold() in by_name:
            raise DataError(f"'{path}' has two columns '{column}'; rename or remove one")
        by_name[column.casefold()] = column
    return {name: column for name, column in by_name.items() if name in KNOWN}
