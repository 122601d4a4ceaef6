"""The errors that a user can act on, and their exit codes.

    ZsadError                 1   the base class; raised itself, it means a failed check
    ├── UsageError            2   a flag, a name or an option is invalid
    ├── DataError             3   a data set is missing, incomplete or invalid
    ├── WeightsError          4   weights or a checkpoint are missing or invalid
    └── CellError             5   a cell failed while it ran; the others are kept

A message is one line that says what is wrong, where, and what to do. It starts in lower case, with values in quotes.
What is not found takes three short lines (`not_found`): what, where it was looked for, what to do.
"""

import sys
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

MANY = 20  # names listed in one message
LONGEST = 300  # characters of an exception's text in a message
NOT_OF_PLUGINS = {*sys.stdlib_module_names, "zsadbench", "torch", "numpy"}  # packages between us and their code
LOOKED, REMEDY = "\n  looked for: ", "\n  what to do: "  # how the second and third line of a message begin


class ZsadError(Exception):
    """An error that a user can act on; its message is shown without a traceback."""

    exit_code = 1


class UsageError(ZsadError):
    """A flag, a name or an option is invalid."""

    exit_code = 2


class DataError(ZsadError):
    """A data set, an image or a mask is missing, incomplete or invalid."""

    exit_code = 3


class WeightsError(ZsadError):
    """Weights or a checkpoint are missing, unsafe, invalid, or belong to another method."""

    exit_code = 4


class CellError(ZsadError):
    """A cell failed while it ran, for example by a truncated image, a map with NaN, or lack of memory."""

    exit_code = 5


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for an unknown name, with the nearest known name or a list of all."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    shown = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
    hint = f"did you mean '{near[0]}'?" if near else f"known: {shown or 'none'}"
    return UsageError(f"no {kind} named '{name}'; {hint}")


def not_found(what: str, looked: str, remedy: str) -> str:
    """Make the message, of three lines, for something that was not found; the lines are joined by `in_one_line`."""
    return f"{what}{LOOKED}{looked}{REMEDY}{remedy}"


def in_one_line(message: object) -> str:
    """Return a message of three lines as one, for tables and records; others are returned as they are."""
    return str(message).replace(LOOKED, "; looked for ").replace(REMEDY, "; ")


def where_looked(path: Path) -> str:
    """Say where a file was looked for, and which files of similar names lie there."""
    folder = path.absolute().parent
    try:
        near = get_close_matches(path.name, sorted(entry.name for entry in folder.iterdir()), n=3)
    except OSError:
        return f"'{path.absolute()}', whose folder is not there"
    names = ", ".join(f"'{name}'" for name in near)
    return f"'{path.absolute()}'" + (f"; similar names there: {names}" if near else "")


def described(failure: BaseException) -> str:
    """Return type and text of an exception on one line, with the file and line of the plugin that raised it.

    >>> described(ValueError("no such block"))
    'ValueError: no such block'
    """
    try:
        text = " ".join(str(failure).split())
    except Exception:
        text = ""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return (f"{type(failure).__name__}: {text}" if text else type(failure).__name__) + _raised_at(failure)


def _raised_at(failure: BaseException) -> str:
    """Return ` (FILE:LINE)`: the last place in the code of the plugin that was called; empty if it was none."""
    plugin, place = None, ""
    for frame, line in traceback.walk_tb(failure.__traceback__):
        path, package = Path(frame.f_code.co_filename), str(frame.f_globals.get("__name__")).partition(".")[0]
        if plugin is None and package not in NOT_OF_PLUGINS:
            plugin = (package, path.parent)
        if plugin is not None and (package == plugin[0] or path.parent == plugin[1]):
            place = f" ({path.name}:{line})"
    return place
