r"""Read entries of a BibTeX file that somebody wrote, and find all faults of their syntax; nothing is executed.

An entry is `@type{key, field = value, …}`, where a value is text in braces or quotes, a number or the name of a month;
`#` joins values. Text between entries is a comment. Refused are `@string` and `@preamble`, entries whose braces or
quotes do not close, two entries with one key, two fields with one name, and LaTeX commands that read, write or define.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]*")  # of an entry: what is safe in LaTeX, file names and addresses
FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
WORD = re.compile(r"\d+|[A-Za-z]{3,9}")  # a value without braces: a number, or the name of a month
START = re.compile(r"@\s*([A-Za-z]+)\s*\{")
MONTHS = frozenset(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
UNSAFE = re.compile(
    r"\\(input|include|includegraphics|openin|openout|read|write|immediate|special|catcode|csname|def|edef|gdef|xdef"
    r"|let|newcommand|renewcommand|usepackage|verbatiminput|lstinputlisting|directlua|loop|expandafter)(?![A-Za-z])"
)
MOST = 1_000_000  # characters of a file


class BibtexError(ValueError):
    """The faults of a BibTeX text, each a line with its number."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read_entries(text: str) -> dict[str, str]:
    """Return the entries of a BibTeX text by key, each as it was written, without a line end.

    Raises:
        BibtexError: the text has faults; all of them are named.
    """
    if len(text) > MOST:
        raise BibtexError([f"line 1: more than {MOST:,} characters"])
    entries: dict[str, str] = {}
    faults: list[str] = []
    position = 0
    while (start := START.search(text, position)) is not None:
        line = text.count("\n", 0, start.start()) + 1
        try:
            key, first, position = _read_entry(text, start)
        except BibtexError as failure:
            faults += failure.faults
            following = re.compile(r"^\s*@", re.MULTILINE).search(text, start.end())
            position = following.start() if following else len(text)
            continue
        if key in entries:
            faults.append(f"line {line}: a second entry with the key '{key}'")
        entries.setdefault(key, f"@{start[1].lower()}{{{key}{text[first:position]}")
    if not entries and not faults:
        faults.append("line 1: no entry; one is written as @article{key, title = {…}, year = {2026}}")
    if faults:
        raise BibtexError(faults)
    return entries


def _read_entry(text: str, start: re.Match[str]) -> tuple[str, int, int]:
    """Read the entry that begins at `start`: its key, the position of its first comma, and the one after its end."""
    kind = start[1].lower()
    if kind in {"string", "preamble", "comment"}:
        raise _fault(text, start.start(), f"@{kind} is not taken; write its text into the entries")
    found = KEY.match(text, _skip(text, start.end()))
    if found is None:
        raise _fault(text, start.end(), f"@{kind} has no key of letters, digits and _.:/+-")
    first = position = _skip(text, found.end())
    names: set[str] = set()
    while text[position : position + 1] == ",":
        position = _skip(text, position + 1)
        if text[position : position + 1] == "}":
            break
        name = FIELD.match(text, position)
        equals = _skip(text, name.end()) if name else position
        if name is None or text[equals : equals + 1] != "=":
            raise _fault(text, position, f"'{found[0]}' needs a field here, written as name = {{value}}")
        if name[0].lower() in names:
            raise _fault(text, position, f"'{found[0]}' has the field '{name[0].lower()}' twice")
        names.add(name[0].lower())
        position = _skip(text, _read_value(text, _skip(text, equals + 1), f"'{found[0]}', field '{name[0]}'"))
    if text[position : position + 1] != "}":
        raise _fault(
            text, min(position, len(text) - 1), f"'{found[0]}' lacks a comma between fields, or its last brace"
        )
    if unsafe := UNSAFE.search(text, start.start(), position):
        raise _fault(text, unsafe.start(), f"'{found[0]}' has the LaTeX command {unsafe[0]}, which no reference needs")
    if "title" not in names:
        raise _fault(text, start.start(), f"'{found[0]}' has no title")
    return found[0], first, position + 1


def _read_value(text: str, position: int, where: str) -> int:
    """Return the position after a value, which may be joined of several."""
    while True:
        opening = text[position : position + 1]
        if opening in {"{", '"'}:
            position = _closing(text, position, where)
        else:
            word = WORD.match(text, position)
            if word is None or not (word[0].isdigit() or word[0].lower() in MONTHS):
                raise _fault(text, position, f"{where}: a value is text in braces or quotes, a number or a month")
            position = word.end()
        following = _skip(text, position)
        if text[following : following + 1] != "#":
            return position
        position = _skip(text, following + 1)


def _closing(text: str, opening: int, where: str) -> int:
    """Return the position after the brace or quote that closes the value which begins at `opening`."""
    quoted, depth = text[opening] == '"', 0 if text[opening] == '"' else 1
    for position, letter in _letters(text, opening + 1):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:
            raise _fault(text, position, f"{where}: a brace closes that was not opened")
        if depth == 0 and letter == ('"' if quoted else "}"):
            return position + 1
    raise _fault(text, opening, f"{where}: the {'quote' if quoted else 'brace'} is not closed")


def _letters(text: str, position: int) -> Iterator[tuple[int, str]]:
    r"""Yield positions and letters, without a letter after a backslash, as in `\{`."""
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        yield position, text[position]
        position += 1


def _skip(text: str, position: int) -> int:
    """Return the position of the next letter that is no white space."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _fault(text: str, position: int, what: str) -> BibtexError:
    return BibtexError([f"line {text.count(chr(10), 0, max(position, 0)) + 1}: {what}"])
