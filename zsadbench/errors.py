"""Everything that can go wrong, and the exit code it ends with.

    ZsadError                 1   the base; raised bare it means a failed check
    ├── UsageError            2   a flag, a name or an option that cannot be right
    ├── DataError             3   a data set is missing, incomplete or invalid
    ├── WeightsError          4   weights or a checkpoint are missing or invalid
    └── CellError             5   a cell failed while it ran; the others are kept

A message is one line: what is wrong, where, what to do; lower case, values in quotes.
"""

from collections.abc import Iterable
from difflib import get_close_matches

MANY = 20  # names that one line can bear


class ZsadError(Exception):
    """A failure that a user can act on; the message is shown without a traceback."""

    exit_code = 1


class UsageError(ZsadError):
    """A flag, a name or an option cannot be right."""

    exit_code = 2


class DataError(ZsadError):
    """A data set, an image or a mask is missing, incomplete or invalid."""

    exit_code = 3


class WeightsError(ZsadError):
    """Weights or a checkpoint are missing, foreign, unsafe or invalid."""

    exit_code = 4


class CellError(ZsadError):
    """A cell failed while it ran: a truncated image, a map with NaN, memory."""

    exit_code = 5


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Say that `name` is no known `kind`, with the nearest known name or all of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    shown = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
    hint = f"did you mean '{near[0]}'?" if near else f"known: {shown or 'none'}"
    return UsageError(f"no {kind} named '{name}'; {hint}")
