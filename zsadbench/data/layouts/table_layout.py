"""A table → samples: one row a sample, in csv or json. A table is untrusted: its paths stay below the root."""

import posixpath
from collections.abc import Iterator, Mapping

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS, TableLayout
from zsadbench.data.cards.template import captures, fill
from zsadbench.data.layouts.file_tree import Tree
from zsadbench.data.layouts.files_layout import unknown_class
from zsadbench.data.layouts.sample import Reading, Sample, kind
from zsadbench.data.layouts.table_rows import Row, rows_of
from zsadbench.errors import DataError


def read_table(card: Card, layout: TableLayout, tree: Tree) -> Reading:
    """Every sample that the table names; those whose image is not there apart.

    A row that repeats another is read once, unless the table is one's own.

    Raises:
        DataError: the table is missing or malformed, a class or a label is unknown, a path leaves the root,
            two rows contradict each other about one image, or the files are numbered otherwise than the table.
    """
    samples: dict[str, Sample] = {}
    absent: dict[str, Sample] = {}
    strange: list[Row] = []
    for table, row in _rows(card, layout, tree):
        place = row.where.removeprefix(f"'{tree.root / table}'") if layout.own else ""
        sample = _sample(card, layout, row, tree)._replace(named_in=table + place)
        kept = samples if tree.find(sample.image) else absent
        first = kept.setdefault(sample.image, sample)
        if first is not sample and (layout.own or first != sample):
            how = f"; it stands in {first.named_in} already" if layout.own else ", and otherwise"
            raise DataError(f"{row.where}: names '{sample.image}' a second time{how}")
        if row.unknown:
            strange.append(row)
    if layout.digits:
        _refuse_other_numbers(card, tree, samples, absent)
    return Reading(list(samples.values()), list(absent.values()), notes=_strange(strange))


def _rows(card: Card, layout: TableLayout, tree: Tree) -> Iterator[tuple[str, Row]]:
    """Every row, with its table, of the one table, or of those tables of single classes that are there."""
    tables = spelled(card, layout.manifest)
    there = {name: words for name, words in tables.items() if (tree.root / name).is_file()}
    if not there:
        path, source = tree.root / next(iter(tables)), f"; take it from {layout.source}" if layout.source else ""
        raise DataError(f"{card.name}: '{path}' is missing; it names the samples of layout '{layout.name}'{source}")
    for name, values in there.items():
        for row in rows_of(tree.root / name, layout):
            yield name, row._replace(values={"split": layout.split, **values} | row.values)


def _strange(rows: list[Row]) -> tuple[str, ...]:
    """What is said of fields that mean nothing to us."""
    if not rows:
        return ()
    names = ", ".join(sorted({name for row in rows for name in row.unknown}))
    return (f"{len(rows)} rows have fields that mean nothing here ({names}), first {rows[0].where}",)


def spelled(card: Card, template: str) -> dict[str, dict[str, str]]:
    """What a template with `{class}` spells for each class; itself, when it holds none."""
    if "class" not in captures(template):
        return {template: {}}
    return {fill(template, {"class": name}): {"class": name} for name in card.classes}


def _refuse_other_numbers(card: Card, tree: Tree, samples: Mapping[str, Sample], absent: Mapping[str, Sample]) -> None:
    """Refuse numbers that the table names and no file has beside files that have numbers it does not name.

    Such files are most likely numbered from another start, and every label would belong to a neighbour.
    """
    folders = {posixpath.dirname(image) for image in (*samples, *absent)}
    unnamed = [path for path in tree.files if posixpath.dirname(path) in folders - {""} and _unnamed(path, samples)]
    if absent and unnamed:
        first = next(iter(absent.values()))
        raise DataError(
            f"{card.name}: {first.named_in} names '{first.image}', which is not there, while no row names "
            f"'{unnamed[0]}': the files in '{tree.root}' are numbered otherwise than the table, and labels would "
            "shift; rename the files, or restore the table and the files of one download"
        )


def _unnamed(path: str, samples: Mapping[str, Sample]) -> bool:
    stem, _, extension = posixpath.basename(path).rpartition(".")
    return path not in samples and stem.isdecimal() and extension.casefold() in IMAGE_EXTENSIONS


def _sample(card: Card, layout: TableLayout, row: Row, tree: Tree) -> Sample:
    name = card.class_named(row.text("class") or next(iter(card.classes)))
    if name is None:
        raise unknown_class(card, row.text("class"), row.where.strip("'"))
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
        defect=kind(label, row.text("defect")),
        split=row.text("split").casefold() or layout.split,
        wanted="" if mask else named,
        view=view,
        sample=sample,
    )


def _path(card: Card, layout: TableLayout, row: Row, column: str, tree: Tree) -> str:
    """The first of the layout's paths that is there, else the first; empty when the row names none.

    Where the table holds whole paths, these may have the set's own folder before them. Blanks around a path are
    part of it only where a file is called so.
    """
    text, raw = row.text(column), row.raw(column)
    if not text:
        return ""
    if raw != text and layout.own and tree.find(raw):
        return raw
    values = {"class": row.text("class"), "prefix": row.text("prefix"), "path": text.zfill(layout.digits)}
    whole = layout.paths == ("{path}",) and not layout.own
    paths = [_confined(card if whole else None, fill(path, values), row, tree) for path in layout.paths]
    found = next((path for path in paths if tree.find(path)), None)
    if found is None and whole:
        found = _without_folder(card, paths[0], tree)
    return found or paths[0]


def _viewed(layout: TableLayout, image: str) -> tuple[str, str]:
    """The view and the object, from a stem `<object>_<view>_<more>`."""
    stem = posixpath.basename(image)
    cut = ((view, stem.rpartition(f"_{view}_")) for view in layout.views)
    return next(((view, before) for view, (before, found, _) in cut if found), ("", ""))


def _label(layout: TableLayout, row: Row) -> int:
    value = row.values.get("label")
    text = f"{value:g}" if isinstance(value, int | float) else str(value).strip()
    if text in layout.normal or (layout.maskless_normal and not row.text("mask")):
        return 0
    if text in layout.anomalous or (text and value is not None and not layout.anomalous):
        return 1
    raise DataError(f"{row.where}: label '{text}' is none of {', '.join((*layout.normal, *layout.anomalous))}")


def _confined(card: Card | None, text: str, row: Row, tree: Tree) -> str:
    """The path relative to the root, which may be absolute in the table, but must not leave the root.

    With a card, the absolute path of another machine will do where what follows the set's own folder is here.
    """
    if not text or "\0" in text:
        return ""
    path = posixpath.normpath(text.replace("\\", "/"))
    for root in tree.spellings:
        if path.startswith(f"{root}/"):
            return path.removeprefix(f"{root}/")
    if path.startswith("/") or path.split("/")[0] == "..":
        here = _without_folder(card, path, tree) if card and path.startswith("/") else None
        if here is None:
            raise DataError(f"{row.where}: '{text}' leaves the root '{tree.root}'")
        return here
    return path


def _without_folder(card: Card, path: str, tree: Tree) -> str | None:
    """What follows the set's own folder in `path`, where such a file is there."""
    own = {name.casefold() for name in (tree.root.name, *card.names)}
    parts = path.split("/")
    ends = ("/".join(parts[place + 1 :]) for place, part in enumerate(parts) if part.casefold() in own)
    return next((end for end in ends if tree.find(end)), None)
