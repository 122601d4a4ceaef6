"""Parse a card from TOML. An invalid card gives a one-line error that names the file and every faulty field."""

import tomllib
from collections.abc import Mapping
from typing import Any, cast, get_args

from zsadbench.data.cards.card import Card, Expected, LabelCounts, PositiveRule, prompt_words
from zsadbench.data.cards.fields import Fault, Fields
from zsadbench.data.cards.layout import ANOMALYCLIP, one_class_layouts
from zsadbench.data.cards.parse_layouts import read_layouts
from zsadbench.data.cards.template import captures
from zsadbench.errors import DataError

DOMAINS = ("industrial", "medical")
GENERATED_DOMAINS = ("demo",)  # tables do not group generated sets with photographs
LEVELS = ("image", "pixel")


def read_card(text: str, source: str) -> Card:
    """Parse a card from TOML text; error messages name the file `source`.

    Raises:
        DataError: the text is not TOML, a field is missing, unknown or invalid, or a rule is inconsistent.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    return card_of(table, source)


def card_of(table: Mapping[str, object], source: str) -> Card:
    """Build a card from a parsed TOML table; see `read_card`.

    Raises:
        DataError: fields are missing, unknown or invalid, or rules are inconsistent; the message has all faults.
    """
    card, faults = card_and_faults(table, source)
    if faults:
        raise DataError("; ".join(fault.message for fault in faults))
    return card


def card_and_faults(table: Mapping[str, object], source: str) -> tuple[Card, list[Fault]]:
    """Build a card from a parsed TOML table, and return all of its faults; with any, the card is of no use."""
    faults: list[Fault] = []
    fields = Fields(table, source, (), faults)
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
        positive=cast("PositiveRule", fields.text("positive", among=get_args(PositiveRule))),
        licence=fields.text("licence"),
        homepage=fields.text("homepage", "" if generated else None),
        obtain=fields.text("obtain", ""),
        doi=fields.text("doi", ""),
        cite=_cite(fields),
        bibtex=fields.text("bibtex", ""),
        collections=fields.texts("collections", ()),
        method_words=_method_words(fields.table("words", {}), classes),
        folder_words=fields.texts("folder_words", ()),
        editions=_editions(fields.table("editions", {})),
        generated=generated,
        source=source,
        ignored=fields.texts("ignored", ()),
        hidden=_hidden(fields.table("hidden", {})),
        metrics=fields.texts("metrics", ()),
        in_groups=fields.flag("in_groups", default=True),
        same_layout_as=fields.texts("same_layout_as", ()),
    )
    fields.done()
    return card, faults


def _levels(fields: Fields) -> tuple[str, ...]:
    levels = fields.texts("levels")
    for level in levels:
        if level not in LEVELS:
            fields.refuse("levels", f"holds {level!r}; known: {', '.join(LEVELS)}")
    return levels


def _cite(fields: Fields) -> tuple[str, ...]:
    """The keys to cite, given as a list or, if there is only one, as a text; an empty list if none is verified."""
    return (fields.text("cite"),) if isinstance(fields.take("cite"), str) else fields.texts("cite", ())


def _classes(fields: Fields) -> dict[str, str]:
    classes = {name: fields.text(name, "") or prompt_words(name) for name in fields.rest()}
    if not classes:
        fields.fault(fields.path, f"{fields.where}: at least one class is needed")
    return classes


def _method_words(fields: Fields, classes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    tables = {method: fields.table(method) for method in fields.rest()}
    for table in tables.values():
        for name in table.rest():
            if name not in classes:
                table.refuse(name, "is no class of this card")
    return {method: {name: table.text(name) for name in table.rest()} for method, table in tables.items()}


def _hidden(fields: Fields) -> dict[str, str]:
    parts = {part: fields.text(part) for part in fields.rest()}
    for part, template in parts.items():
        if not template.endswith("{stem}.{ext}") or captures(template) - {"class", "stem", "ext"}:
            fields.refuse(part, f"must be a path of {{class}} that ends in '{{stem}}.{{ext}}', not {template!r}")
    return parts


def _editions(fields: Fields) -> dict[str, tuple[int, ...]]:
    editions: dict[str, tuple[int, ...]] = {}
    for name in fields.rest():
        counts = fields.take(name)
        if not (_are_counts(counts) and len(counts) in {1, 2}):
            fields.refuse(name, f"must be [normal, anomalous] or [in all], not {counts!r}")
            continue
        editions[name] = tuple(counts)
    return editions


def _expected(fields: Fields, classes: Mapping[str, str]) -> dict[str, Expected]:
    return {split: _expected_split(fields.table(split), classes) for split in fields.rest()}


def _expected_split(fields: Fields, classes: Mapping[str, str]) -> Expected:
    certain = fields.flag("certain", default=True)
    counts = fields.table("counts", {})
    by_class = {name: _label_counts(counts, name) for name in counts.rest()}
    for name in by_class:
        if name not in classes:
            counts.refuse(name, "is no class of this card")
    total = _label_counts(fields, "total") if "total" in fields.rest() else None
    images, unknown = fields.whole("images", 0), fields.flag("unknown", default=False)
    fields.done()
    if [bool(by_class), total is not None, unknown].count(True) != 1:
        fields.fault(fields.path, f"{fields.where}: give either counts or total, or say that they are unknown")
    return Expected(by_class, total, certain and not unknown, () if by_class else tuple(classes), images)


def _label_counts(fields: Fields, field: str) -> LabelCounts:
    counts = fields.take(field)
    if not (_are_counts(counts) and len(counts) == 2):
        fields.refuse(field, f"must be [normal, anomalous], not {counts!r}")
        return 0, 0
    return counts[0], counts[1]


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
