"""The page of the fields of a data set card, from the classes that hold them and the parser's own defaults."""

import inspect
import re
from dataclasses import MISSING, fields
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from doc_site.markdown import attributes, code, prose, table

HEAD = """# Fields of a data set card

A card is a TOML file of facts, without code. A field that is missing, unknown or of another type is refused with its
name. [Write a card](../write-a-card.md) goes through one step by step.
"""
NOT_IN_FILES = {"source": "the parser sets it", "method_words": "the table `words` of a card"}


def page() -> str:
    """The Markdown of the page."""
    from zsadbench.data.cards.card import Card, Expected
    from zsadbench.data.cards.layout import FilesLayout, Rule, TableLayout
    from zsadbench.data.cards.parse_layouts import read_layouts

    variants = inspect.getdoc(read_layouts).split("\n\n")[1]
    kinds = {
        "Number of images: `[expected.SPLIT]`": Expected,
        'Layouts of images by path: `[layouts.NAME]` with `kind = "files"`': FilesLayout,
        "Rules: `[[layouts.NAME.rules]]`": Rule,
        'Layouts by a table: `[layouts.NAME]` with `kind = "table"`': TableLayout,
    }
    parts = [HEAD, _card(Card)]
    parts += [f"## {title}\n\n{_described(kind)}" for title, kind in kinds.items()]
    parts.append("## Variants: `[layouts.NAME.variants]`\n\n" + prose(" ".join(variants.split())))
    parts.append("## A whole card\n\n```toml\n" + _example() + "```")
    return "\n\n".join(parts) + "\n"


def _card(card):
    texts = attributes(inspect.getdoc(card))
    rows = []
    for entry in fields(card):
        name = "words" if entry.name == "method_words" else entry.name
        if entry.name != "source":
            needed = "yes" if _needed(entry.name) else "no"
            rows.append((code(name), needed, _type(entry.type), prose(texts[entry.name])))
    return table(["field", "required", "type", "is"], rows)


def _needed(name):
    """Whether the parser refuses a card without the field: it is asked."""
    from zsadbench.data.cards.parse_card import read_card
    from zsadbench.errors import DataError

    text = _example()
    start = re.compile(rf"^{name} = .*\n", re.MULTILINE)
    section = re.compile(rf"^\[+{name}[.\]].*?(?=^\[(?!\[?{name}[.\]])|\Z)", re.MULTILINE | re.DOTALL)
    without = section.sub("", start.sub("", text))
    try:
        read_card(without, "card")
    except DataError as failure:
        return f"'{name}' is missing" in str(failure)
    return False


def _described(kind):
    rows = [
        (code(entry.name), _type(entry.type), code("" if entry.default is MISSING else _shown(entry.default)))
        for entry in fields(kind)
        if entry.name not in {"name", "user_made"}
    ]
    return prose(inspect.getdoc(kind)) + "\n\n" + table(["field", "type", "default"], rows)


def _shown(default):
    return "" if default in ("", (), MISSING) else str(list(default) if isinstance(default, tuple) else default)


def _type(annotation):
    """The type of a field in the words of TOML."""
    if get_origin(annotation) is Literal:
        return " or ".join(code(repr(value).replace("'", '"')) for value in get_args(annotation))
    if get_origin(annotation) in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_type(kind) for kind in get_args(annotation)))
    if get_origin(annotation) is tuple:
        items = get_args(annotation)
        if Ellipsis not in items:
            return f"list of {len(items)} numbers"
        return {str: "list of texts", int: "list of numbers"}.get(items[0], "tables")
    words = {str: "text", int: "number", bool: "true or false", type(None): "none"}
    return words.get(annotation, "table")


def _example():
    from importlib.resources import files

    return (files("zsadbench_datasets") / "cards" / "brainmri.toml").read_text(encoding="utf-8")
