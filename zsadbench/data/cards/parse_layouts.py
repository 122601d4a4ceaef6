"""Parse the layouts of a card from its TOML table `layouts`."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, cast

from zsadbench.data.cards.fields import Fields
from zsadbench.data.cards.layout import MASK_EXTENSIONS, FilesLayout, Layout, Rule, TableLayout
from zsadbench.data.cards.template import captures

IGNORED = "ignored"  # files that are no images of the benchmark
FROM_MASKS = ("from_mask", "from_mask_content")
COLUMNS = ("image", "mask", "label", "class", "defect", "split")
ROWS = ("{split}.{class}", "{split}")


def read_layouts(fields: Fields, classes: Mapping[str, str]) -> list[Layout]:
    """Parse every layout of the table, in order; faults are added to those of `fields`.

    A layout with a table `variants` of lists stands for one layout per combination of their values: in its strings,
    the name of a list in braces is replaced by the value, and the values are appended to the layout's name, separated
    by colons.
    """
    layouts = [layout for name in fields.rest() for layout in _variants(name, fields.table(name), classes)]
    if not layouts:
        fields.fault(fields.path, f"{fields.where}: at least one layout is needed")
    return layouts


def _variants(name: str, fields: Fields, classes: Mapping[str, str]) -> Iterator[Layout]:
    variants = fields.table("variants", {})
    lists = {key: variants.texts(key) for key in variants.rest()}
    for values in product(*lists.values()):
        yield _layout(":".join((name, *values)), fields.filled(dict(zip(lists, values, strict=True))), classes)


def _layout(name: str, fields: Fields, classes: Mapping[str, str]) -> Layout:
    fields.table("variants", {})
    layout: Layout
    if fields.text("kind", among=("files", "table")) == "files":
        rules = tuple(_rule(rule, classes) for rule in fields.tables("rules"))
        layout = FilesLayout(name, _probe(fields), rules)
    else:
        layout = _table_layout(name, fields)
    fields.done()
    return layout


def _probe(fields: Fields) -> tuple[str, ...]:
    probe = fields.texts("probe")
    for path in probe:
        _check_template(fields, "probe", path, {"class", "ext"})
    return probe


def _rule(fields: Fields, classes: Mapping[str, str]) -> Rule:
    match, label = fields.text("match"), fields.take("label")
    _check_template(fields, "match", match, {"class", "defect", "folder", "stem", "ext"})
    ending = ".{ext}" if label == IGNORED else "{stem}.{ext}"
    if not match.endswith(ending):
        fields.refuse("match", f"must end in '{ending}', not {match!r}")
    if len(classes) > 1 and "class" not in captures(match):
        fields.refuse("match", f"must capture '{{class}}', for there are several: {match!r}")
    if label not in (*FROM_MASKS, IGNORED) and (type(label) is not int or label not in {0, 1}):
        fields.refuse("label", f"must be 0, 1, {', '.join(map(repr, FROM_MASKS))} or '{IGNORED}', not {label!r}")
    masks = fields.texts("masks", None if label in FROM_MASKS else ())
    for mask in masks:
        _check_template(fields, "masks", mask, captures(match) - {"ext"})
        if mask.rpartition(".")[2] not in MASK_EXTENSIONS:
            fields.refuse("masks", f"must end in one of {', '.join(MASK_EXTENSIONS)}: {mask!r}")
    rule = Rule(match, fields.text("split"), None if label == IGNORED else label, masks)
    fields.done()
    return rule


def _check_template(fields: Fields, field: str, template: str, known: set[str]) -> None:
    if template.startswith("/") or ".." in template.split("/") or "\\" in template:
        fields.refuse(field, f"must stay below the root: {template!r}")
    unknown = captures(template) - known
    if unknown:
        fields.refuse(field, f"holds the unknown '{{{min(unknown)}}}': {template!r}")


def _table_layout(name: str, fields: Fields) -> TableLayout:
    manifest, paths = fields.text("manifest"), fields.texts("paths", ("{path}",))
    _check_template(fields, "manifest", manifest, {"class"})
    for path in paths:
        _check_template(fields, "paths", path, {"class", "path", "prefix"})
    return TableLayout(
        name=name,
        probe=_probe(fields),
        manifest=manifest,
        format=cast("Any", fields.text("format", among=("csv", "json"))),
        columns=_columns(fields.table("columns")),
        normal=fields.texts("normal"),
        anomalous=fields.texts("anomalous", ()),
        source=fields.text("source", ""),
        rows=cast("Any", fields.text("rows", ROWS[0], among=ROWS)),
        split=fields.text("split", ""),
        paths=paths,
        digits=fields.whole("digits", 0),
        maskless_normal=fields.flag("maskless_normal", default=False),
        views=fields.texts("views", ()),
    )


def _columns(fields: Fields) -> dict[str, str]:
    columns = {column: fields.text(column) for column in COLUMNS if column in fields.rest()}
    fields.done()
    for column in ("image", "label"):
        if column not in columns:
            fields.refuse(column, "is missing")
    return columns
