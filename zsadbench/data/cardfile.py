"""TOML text → `Card`. A wrong card gives one line that names the file and the field."""

import tomllib
from collections.abc import Mapping
from typing import cast, get_args

from zsadbench.data.card import ANOMALYCLIP, Card, Expected, Pair, Positive, prompt_words
from zsadbench.data.cardlayouts import read_layouts
from zsadbench.data.fields import Fields
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
        fields = Fields(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    classes = _classes(fields.table("classes"))
    generated = fields.flag("generated", default=False)
    card = Card(
        name=fields.text("name"),
        title=fields.text("title"),
        domain=fields.text("domain", among=GENERATED_DOMAINS if generated else DOMAINS),
        levels=_levels(fields),
        classes=classes,
        layouts=(*read_layouts(fields.table("layouts"), classes), ANOMALYCLIP),
        expected=_expected(fields.table("expected"), classes),
        aliases=fields.texts("aliases", ()),
        folders=fields.texts("folders"),
        class_aliases=_class_aliases(fields.table("class_aliases", {}), classes),
        positive=cast("Positive", fields.text("positive", among=get_args(Positive))),
        licence=fields.text("licence"),
        homepage=fields.text("homepage", "" if generated else None),
        obtain=fields.text("obtain", ""),
        doi=fields.text("doi", ""),
        cite=fields.text("cite"),
        bibtex=fields.text("bibtex", ""),
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


def _class_aliases(fields: Fields, classes: Mapping[str, str]) -> dict[str, str]:
    return {alias: fields.text(alias, among=classes) for alias in fields.rest()}


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
