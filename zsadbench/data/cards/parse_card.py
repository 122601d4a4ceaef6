"""TOML text → `Card`. A wrong card gives one line that names the file and the field."""

import tomllib
from collections.abc import Mapping
from typing import cast, get_args

from zsadbench.data.cards.card import Card, Expected, Pair, Positive, prompt_words
from zsadbench.data.cards.fields import Fields
from zsadbench.data.cards.layout import ANOMALYCLIP, one_class_layouts
from zsadbench.data.cards.parse_layouts import read_layouts
from zsadbench.errors import DataError

DOMAINS = ("industrial", "medical")
GENERATED_DOMAINS = ("demo",)  # a drawn set stands in no group with photographed ones
LEVELS = ("image", "pixel")


def read_card(text: str, source: str) -> Card:
    """Read the card written as TOML in `text`; `source` is its file's name, for messages.

    Raises:
        DataError: it is no TOML, a field is missing, unknown or wrong, or a rule cannot work.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    return card_of(table, source)


def card_of(table: Mapping[str, object], source: str) -> Card:
    """The card that a table says, as `read_card`.

    Raises:
        DataError: a field is missing, unknown or wrong, or a rule cannot work.
    """
    fields = Fields(table, source)
    classes = _classes(fields.table("classes"))
    generated, levels = fields.flag("generated", default=False), _levels(fields)
    layouts = [*read_layouts(fields.table("layouts"), classes)]
    if len(classes) == 1:
        layouts += one_class_layouts(*classes, masked="pixel" in levels)
    card = Card(
        name=fields.text("name"),
        title=fields.text("title"),
        domain=fields.text("domain", among=GENERATED_DOMAINS if generated else DOMAINS),
        levels=levels,
        classes=classes,
        layouts=(*layouts, ANOMALYCLIP),
        expected=_expected(fields.table("expected"), classes),
        aliases=fields.texts("aliases", ()),
        folders=fields.texts("folders"),
        positive=cast("Positive", fields.text("positive", among=get_args(Positive))),
        licence=fields.text("licence"),
        homepage=fields.text("homepage", "" if generated else None),
        obtain=fields.text("obtain", ""),
        doi=fields.text("doi", ""),
        cite=fields.text("cite"),
        bibtex=fields.text("bibtex", ""),
        collections=fields.texts("collections", ()),
        method_words=_method_words(fields.table("words", {}), classes),
        folder_words=fields.texts("folder_words", ()),
        editions=_editions(fields.table("editions", {})),
        generated=generated,
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


def _method_words(fields: Fields, classes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    tables = {method: fields.table(method) for method in fields.rest()}
    for table in tables.values():
        for name in table.rest():
            if name not in classes:
                raise table.wrong(name, "is no class of this card")
    return {method: {name: table.text(name) for name in table.rest()} for method, table in tables.items()}


def _editions(fields: Fields) -> dict[str, tuple[int, ...]]:
    return {name: _edition(fields, name) for name in fields.rest()}


def _edition(fields: Fields, name: str) -> tuple[int, ...]:
    value = fields.take(name)
    good = isinstance(value, list) and len(value) in {1, 2} and all(type(item) is int and item >= 0 for item in value)
    if not good:
        raise fields.wrong(name, f"must be [normal, anomalous] or [in all], not {value!r}")
    return tuple(value)


def _expected(fields: Fields, classes: Mapping[str, str]) -> dict[str, Expected]:
    return {split: _expected_split(fields.table(split), classes) for split in fields.rest()}


def _expected_split(fields: Fields, classes: Mapping[str, str]) -> Expected:
    certain = fields.flag("certain", default=True)
    counts = fields.table("counts", {})
    pairs = {name: _pair(counts, name) for name in counts.rest()}
    for name in pairs:
        if name not in classes:
            raise counts.wrong(name, "is no class of this card")
    total = _pair(fields, "total") if "total" in fields.rest() else None
    images = fields.whole("images", 0)
    fields.done()
    if bool(pairs) == (total is not None):
        raise DataError(f"{fields.where}: give either counts or total")
    return Expected(pairs, total, certain, () if total is None else tuple(classes), images)


def _pair(fields: Fields, field: str) -> Pair:
    value = fields.take(field)
    good = isinstance(value, list) and len(value) == 2 and all(type(item) is int and item >= 0 for item in value)
    if not good:
        raise fields.wrong(field, f"must be [normal, anomalous], not {value!r}")
    return value[0], value[1]
