"""TOML text → `Card`. A wrong card gives one line that names the file and the field."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from zsadbench.data.card import (
    ANOMALYCLIP,
    Card,
    Expected,
    FilesLayout,
    Layout,
    Pair,
    Positive,
    Rule,
    TableLayout,
    prompt_words,
)
from zsadbench.data.template import captures
from zsadbench.errors import DataError

DOMAINS = ("industrial", "medical")
LEVELS = ("image", "pixel")
COLUMNS = ("image", "mask", "label", "class", "defect", "split")


class Fields:
    """One table of a card, read field by field; what nobody asked for is unknown.

    `where` is the file and, after a colon, the way down to this table.
    """

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise DataError(f"{where}: a table is needed, not {table!r}")
        self._table: dict[str, Any] = table
        self._seen: set[str] = set()
        self.where = where

    def wrong(self, field: str, what: str) -> DataError:
        """The error of one field."""
        return DataError(f"{self.where}: field '{field}' {what}")

    def take(self, field: str, default: object = None) -> Any:
        """The value of a field, or `default`; a field without default must be there."""
        self._seen.add(field)
        if field not in self._table and default is None:
            raise self.wrong(field, "is missing")
        return self._table.get(field, default)

    def text(self, field: str, default: str | None = None, among: Iterable[str] = ()) -> str:
        """A text that is not blank (unless it is the default), one of `among` where given."""
        value, known = self.take(field, default), tuple(among)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.wrong(field, f"must be a text, not {value!r}")
        if known and value not in known:
            raise self.wrong(field, f"must be one of {', '.join(map(repr, known))}, not {value!r}")
        return value

    def texts(self, field: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of texts, none blank; at least one, unless there is a default."""
        value = self.take(field, None if default is None else list(default))
        good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
        if not good or (not value and default is None):
            raise self.wrong(field, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def table(self, field: str, default: Mapping[str, object] | None = None) -> "Fields":
        """The fields of a table inside this one."""
        return Fields(self.take(field, default), f"{self.where}: {field}")

    def tables(self, field: str) -> list["Fields"]:
        """The fields of every table of a list of tables that is not empty."""
        value = self.take(field)
        if not isinstance(value, list) or not value:
            raise self.wrong(field, "must be a list of tables")
        return [Fields(item, f"{self.where}: {field}[{place}]") for place, item in enumerate(value)]

    def rest(self) -> list[str]:
        """Names of the fields that were not taken yet, in the order of the file."""
        return [name for name in self._table if name not in self._seen]

    def done(self) -> None:
        """Refuse what was not taken."""
        if self.rest():
            raise self.wrong(self.rest()[0], f"is unknown; known: {', '.join(sorted(self._seen))}")


def read_card(text: str, source: str) -> Card:
    """Read the card written as TOML in `text`; `source` is its file's name, for messages.

    Raises:
        DataError: it is no TOML, a field is missing, unknown or wrong, or a rule cannot work.
    """
    try:
        fields = Fields(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    classes = _classes(fields.table("classes"))
    card = Card(
        name=fields.text("name"),
        title=fields.text("title"),
        domain=fields.text("domain", among=DOMAINS),
        levels=_levels(fields),
        classes=classes,
        layouts=(*_layouts(fields.table("layouts"), classes), ANOMALYCLIP),
        expected=_expected(fields.table("expected"), classes),
        aliases=fields.texts("aliases", ()),
        folders=fields.texts("folders"),
        class_aliases=_class_aliases(fields.table("class_aliases", {}), classes),
        positive=cast("Positive", fields.text("positive", among=get_args(Positive))),
        licence=fields.text("licence"),
        homepage=fields.text("homepage"),
        obtain=fields.text("obtain", ""),
        doi=fields.text("doi", ""),
        cite=fields.text("cite"),
        bibtex=fields.text("bibtex", ""),
        source=source,
    )
    fields.done()
    return card


def _levels(fields: Fields) -> tuple[str, ...]:
    levels = fields.texts("levels")
    for level in levels:
        if level not in LEVELS:
            raise fields.wrong("levels", f"holds {level!r}; known: {', '.join(LEVELS)}")
    return levels


def _classes(fields: Fields) -> dict[str, str]:
    classes = {name: fields.text(name, "") or prompt_words(name) for name in fields.rest()}
    if not classes:
        raise DataError(f"{fields.where}: at least one class is needed")
    return classes


def _class_aliases(fields: Fields, classes: Mapping[str, str]) -> dict[str, str]:
    return {alias: fields.text(alias, among=classes) for alias in fields.rest()}


def _expected(fields: Fields, classes: Mapping[str, str]) -> dict[str, Expected]:
    return {split: _expected_split(fields.table(split), classes) for split in fields.rest()}


def _expected_split(fields: Fields, classes: Mapping[str, str]) -> Expected:
    certain = fields.take("certain", default=True)
    if not isinstance(certain, bool):
        raise fields.wrong("certain", f"must be true or false, not {certain!r}")
    counts = fields.table("counts", {})
    pairs = {name: _pair(counts, name) for name in counts.rest()}
    for name in pairs:
        if name not in classes:
            raise counts.wrong(name, "is no class of this card")
    total = _pair(fields, "total") if "total" in fields.rest() else None
    fields.done()
    if bool(pairs) == (total is not None):
        raise DataError(f"{fields.where}: give either counts or total")
    return Expected(pairs, total, certain)


def _pair(fields: Fields, field: str) -> Pair:
    value = fields.take(field)
    good = isinstance(value, list) and len(value) == 2 and all(type(item) is int and item >= 0 for item in value)
    if not good:
        raise fields.wrong(field, f"must be [normal, anomalous], not {value!r}")
    return value[0], value[1]


def _layouts(fields: Fields, classes: Mapping[str, str]) -> list[Layout]:
    layouts = [_layout(name, fields.table(name), classes) for name in fields.rest()]
    if not layouts:
        raise DataError(f"{fields.where}: at least one layout is needed")
    return layouts


def _layout(name: str, fields: Fields, classes: Mapping[str, str]) -> Layout:
    files = fields.text("kind", among=("files", "table")) == "files"
    layout = _files(name, fields, classes) if files else _table(name, fields)
    fields.done()
    return layout


def _files(name: str, fields: Fields, classes: Mapping[str, str]) -> FilesLayout:
    rules = tuple(_rule(rule, classes) for rule in fields.tables("rules"))
    return FilesLayout(name, _probe(fields), rules)


def _probe(fields: Fields) -> tuple[str, ...]:
    probe = fields.texts("probe")
    for path in probe:
        _check_template(fields, "probe", path, {"class"})
    return probe


def _rule(fields: Fields, classes: Mapping[str, str]) -> Rule:
    match, label = fields.text("match"), fields.take("label")
    _check_template(fields, "match", match, {"class", "defect", "stem", "ext"})
    if not match.endswith("{stem}.{ext}"):
        raise fields.wrong("match", f"must end in '{{stem}}.{{ext}}', not {match!r}")
    if len(classes) > 1 and "class" not in captures(match):
        raise fields.wrong("match", f"must capture '{{class}}', for there are several: {match!r}")
    if type(label) is not int or label not in {0, 1}:
        raise fields.wrong("label", f"must be 0 or 1, not {label!r}")
    masks = fields.texts("masks", ())
    for mask in masks:
        _check_template(fields, "masks", mask, captures(match) - {"ext"} | {"mask_ext"})
    rule = Rule(match, fields.text("split"), label, masks, fields.texts("mask_ext", ("png",)))
    fields.done()
    return rule


def _check_template(fields: Fields, field: str, template: str, known: set[str]) -> None:
    if template.startswith("/") or ".." in template.split("/") or "\\" in template:
        raise fields.wrong(field, f"must stay below the root: {template!r}")
    unknown = captures(template) - known
    if unknown:
        raise fields.wrong(field, f"holds the unknown '{{{min(unknown)}}}': {template!r}")


def _table(name: str, fields: Fields) -> TableLayout:
    columns = fields.table("columns")
    named = {column: columns.text(column) for column in COLUMNS if column in columns.rest()}
    columns.done()
    for column in ("image", "label"):
        if column not in named:
            raise columns.wrong(column, "is missing")
    manifest = fields.text("manifest")
    _check_template(fields, "manifest", manifest, set())
    return TableLayout(
        name=name,
        probe=_probe(fields),
        manifest=manifest,
        format=cast("Any", fields.text("format", among=("csv", "json"))),
        columns=named,
        normal=fields.texts("normal"),
        anomalous=fields.texts("anomalous"),
        source=fields.text("source", ""),
    )
