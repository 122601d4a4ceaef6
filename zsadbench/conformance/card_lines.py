"""Find the line of a TOML file in which a field stands."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

Path = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=.*""")


def line_of(text: str, path: Path) -> int:
    r"""Return the line, from 1, of the field `path`, or of the nearest table around it; of a missing one as well.

    >>> line_of('name = "x"\n[[rules]]\nlabel = 1\n[[rules]]\nlabel = 2', ("rules", 1, "label"))
    5
    """
    lines = _lines(text)
    inside = [number for known, number in lines.items() if known[: len(path)] == path]
    if path and inside:
        return min(inside)
    nearest = max((known for known in lines if known == path[: len(known)]), key=len, default=None)
    return 1 if nearest is None else lines[nearest]


def _lines(text: str) -> dict[Path, int]:
    """Return the first line of every table and field; inside texts of several lines, some may be none."""
    lines: dict[Path, int] = {}
    places: Counter[Path] = Counter()
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.fullmatch(line):
            table = _keys(header[2])
            if header[1] == "[[":
                places[table] += 1
                table = (*table, places[table] - 1)
            lines.setdefault(table, number)
        elif key := KEY.fullmatch(line):
            lines.setdefault((*table, *_keys(key[1])), number)
    return lines


def _keys(dotted: str) -> Path:
    """Return the parts of a dotted key; it is one part where TOML does not read it."""
    try:
        table: Any = tomllib.loads(f"{dotted} = 1")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    keys: list[str] = []
    while isinstance(table, dict):
        ((key, table),) = table.items()
        keys.append(key)
    return tuple(keys)
