"""Markdown of generated pages."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped and line breaks become blanks."""
    lines = [header, ["---"] * len(header), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """The text of one cell."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "&#124;").strip() or "–"


def code(text: str) -> str:
    """Text as code; empty text stays empty, and a bar, which would end a cell, is written out."""
    return "`{}`".format(text.replace("|", " or ")) if text else ""


def prose(text: str) -> str:
    """Plain text of a help or a description, in which angle brackets are no HTML."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[") for part in parts[::2]]
    return "".join(parts)


def attributes(docstring: str) -> dict[str, str]:
    """The section `Attributes` of a docstring: name → text."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^ {4,8}(\w+): (.*?)(?=^ {4,8}\w+: |\Z)", section, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in entries}
