"""Read samples from a table with one row per image, by a `TableLayout`.

Tables are untrusted: paths in a table must not leave the root.
"""

import posixpath
from collections.abc import Iterator, Mapping

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS, TableLayout
from zsadbench.data.cards.template import captures, fill
from zsadbench.data.layouts.file_tree import CaseBlind, FileTree
from zsadbench.data.layouts.files_layout import unknown_class
from zsadbench.data.layouts.pair_names import check_pairs
from zsadbench.data.layouts.sample import LayoutSamples, Sample, defect_kind
from zsadbench.data.layouts.table_rows import TableRow, read_rows
from zsadbench.errors import DataError


def read_table(card: Card, layout: TableLayout, tree: FileTree) -> LayoutSamples:
    """Read every sample that the table lists; samples whose image does not exist are returned apart.

    A repeated row is read once; in a table made by the user it is an error.

    Raises:
        DataError: the table is missing or malformed, a class or a label is unknown, a path leaves the root, two rows
            about one image differ, the numbers of the files do not fit those in the table, or most masks have the
            name of another image.
    """
    samples: dict[str, Sample] = {}
    absent: dict[str, Sample] = {}
    with_unknown_fields: list[TableRow] = []
    for table, row in _rows_of_tables(card, layout, tree):
        line = row.where.removeprefix(f"'{tree.root / table}'") if layout.user_made else ""
        sample = _sample(card, layout, row, tree)._replace(named_in=table + line)
        listed = samples if tree.find(sample.image) else absent
        first = listed.setdefault(sample.image, sample)
        if first is not sample and (layout.user_made or first != sample):
            how = f"; it stands in {first.named_in} already" if layout.user_made else ", and otherwise"
            raise DataError(f"{row.where}: names '{sample.image}' a second time{how}")
        if row.unknown:
            with_unknown_fields.append(row)
    if layout.digits:
        _refuse_shifted_numbers(card, tree, samples, absent)
    notes = _note_unknown_fields(with_unknown_fields)
    tables = dict.fromkeys(sample.named_in.partition(" ")[0] for sample in samples.values())
    odd_pairs = check_pairs([*samples.values(), *absent.values()], f"{card.name}: {', '.join(tables)}")
    return LayoutSamples(list(samples.values()), list(absent.values()), (*notes, *odd_pairs))


def _rows_of_tables(card: Card, layout: TableLayout, tree: FileTree) -> Iterator[tuple[str, TableRow]]:
    """(table, row) for every row of the layout's table, or of those of its tables per class that exist."""
    tables = expand_classes(card, layout.manifest)
    names = CaseBlind(tree.root)
    found = {name: names.find(name) for name in tables}
    existing = {
        path.relative_to(tree.root).as_posix(): tables[name] for name, path in found.items() if path and path.is_file()
    }
    if not existing:
        path, source = tree.root / next(iter(tables)), f"; take it from {layout.source}" if layout.source else ""
        raise DataError(f"{card.name}: '{path}' is missing; it names the samples of layout '{layout.name}'{source}")
    for name, values in existing.items():
        for row in read_rows(tree.root / name, layout):
            yield name, row._replace(values={"split": layout.split, **values} | row.values)


def _note_unknown_fields(rows: list[TableRow]) -> tuple[str, ...]:
    if not rows:
        return ()
    names = ", ".join(sorted({name for row in rows for name in row.unknown}))
    return (f"{len(rows)} rows have fields that mean nothing here ({names}), first {rows[0].where}",)


def expand_classes(card: Card, template: str) -> dict[str, dict[str, str]]:
    """Insert each class of the card for `{class}` in a template: path → the values inserted in it.

    A template without `{class}` gives itself.
    """
    if "class" not in captures(template):
        return {template: {}}
    return {fill(template, {"class": name}): {"class": name} for name in card.classes}


def _refuse_shifted_numbers(
    card: Card, tree: FileTree, samples: Mapping[str, Sample], absent: Mapping[str, Sample]
) -> None:
    """Refuse a copy in which the table lists numbers without a file while files have numbers that it does not list.

    Such files are most likely counted from another first number, and each would get the label of its neighbour.

    Raises:
        DataError: there is such a file.
    """
    folders = {posixpath.dirname(image) for image in (*samples, *absent)}
    unlisted = [path for path in tree.files if posixpath.dirname(path) in folders - {""} and path not in samples]
    numbered = [path for path in unlisted if _is_numbered_image(path)]
    if absent and numbered:
        first = next(iter(absent.values()))
        raise DataError(
            f"{card.name}: {first.named_in} names '{first.image}', which is not there, while no row names "
            f"'{numbered[0]}': the files in '{tree.root}' are numbered otherwise than the table, and labels would "
            "shift; rename the files, or restore the table and the files of one download"
        )


def _is_numbered_image(path: str) -> bool:
    stem, _, extension = posixpath.basename(path).rpartition(".")
    return stem.isdecimal() and extension.casefold() in IMAGE_EXTENSIONS


def _sample(card: Card, layout: TableLayout, row: TableRow, tree: FileTree) -> Sample:
    class_name = card.class_named(row.text("class") or next(iter(card.classes)))
    if class_name is None:
        raise unknown_class(card, row.text("class"), row.where.strip("'"))
    image = _resolve_path(card, layout, row, "image", tree)
    if not image:
        raise DataError(f"{row.where}: no image is named")
    label = _label(layout, row)
    mask_path = _resolve_path(card, layout, row, "mask", tree) if label == 1 else ""
    mask = tree.find(mask_path) or ""
    view, sample = _view_and_object(layout, image)
    return Sample(
        image=tree.find(image) or image,
        mask=mask,
        label=label,
        class_name=class_name,
        defect=defect_kind(label, row.text("defect")),
        split=row.text("split").casefold() or layout.split,
        wanted="" if mask else mask_path,
        view=view,
        sample=sample,
    )


def _resolve_path(card: Card, layout: TableLayout, row: TableRow, column: str, tree: FileTree) -> str:
    """The first path of the layout's templates that exists, else the first path; empty if the row gives none.

    If the table holds whole paths, they may begin with the folder of the data set. Blanks around a path belong to it
    only if such a file exists.
    """
    text, raw_text = row.text(column), row.raw_text(column)
    if not text:
        return ""
    if raw_text != text and layout.user_made and tree.find(raw_text):
        return raw_text
    values = {"class": row.text("class"), "prefix": row.text("prefix"), "path": text.zfill(layout.digits)}
    whole = layout.paths == ("{path}",) and not layout.user_made
    paths = [_relative_path(card if whole else None, fill(path, values), row, tree) for path in layout.paths]
    existing = next((path for path in paths if tree.find(path)), None)
    if existing is None and whole:
        existing = _strip_set_folder(card, paths[0], tree)
    return existing or paths[0]


def _view_and_object(layout: TableLayout, image: str) -> tuple[str, str]:
    """The view and the object, from a stem `<object>_<view>_<more>`; empty if it has no such form."""
    stem = posixpath.basename(image)
    for view in layout.views:
        photographed, separator, _ = stem.rpartition(f"_{view}_")
        if separator:
            return view, photographed
    return "", ""


def _label(layout: TableLayout, row: TableRow) -> int:
    value = row.values.get("label")
    text = f"{value:g}" if isinstance(value, int | float) else str(value).strip()
    key = text.casefold() if layout.user_made else text
    if key in layout.normal or (layout.maskless_normal and not row.text("mask")):
        return 0
    if key in layout.anomalous or (text and value is not None and not layout.anomalous):
        return 1
    raise DataError(f"{row.where}: label '{text}' is none of {', '.join((*layout.normal, *layout.anomalous))}")


def _relative_path(card: Card | None, text: str, row: TableRow, tree: FileTree) -> str:
    """The path relative to the root; the table may hold an absolute path below the root.

    With a card, an absolute path from another machine is accepted if its part after the folder of the data set
    exists below the root.

    Raises:
        DataError: the path leaves the root.
    """
    if not text or "\0" in text:
        return ""
    path = posixpath.normpath(text.replace("\\", "/"))
    for root in tree.spellings:
        if path.startswith(f"{root}/"):
            return path.removeprefix(f"{root}/")
    if path.startswith("/") or path.split("/")[0] == "..":
        local = _strip_set_folder(card, path, tree) if card and path.startswith("/") else None
        if local is None:
            raise DataError(f"{row.where}: '{text}' leaves the root '{tree.root}'")
        return local
    return path


def _strip_set_folder(card: Card, path: str, tree: FileTree) -> str | None:
    """The part of `path` after the folder of the data set, if such a file exists below the root."""
    folder_names = {name.casefold() for name in (tree.root.name, *card.names)}
    parts = path.split("/")
    ends = ("/".join(parts[index + 1 :]) for index, part in enumerate(parts) if part.casefold() in folder_names)
    return next((end for end in ends if tree.find(end)), None)
