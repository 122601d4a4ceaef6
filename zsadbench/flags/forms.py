"""Forms of a flag's value: how it is written on the command line, and how it becomes the value of a field.

>>> split(["fbclip, clip", "folder:a,b"])
('fbclip', 'clip', 'folder:a,b')
>>> split_options(["views=id,sem,bs=true"])
('views=id,sem', 'bs=true')
>>> [read_size(text, "--image-cache") for text in ("1.5 GiB", "2m", None)]
[1610612736, 2097152, None]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError

LARGEST = 2.0**63  # bytes


def split(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Split repeated comma lists into names, each kept once; `folder:` and `csv:` targets are never split."""
    names: list[str] = []
    for text in texts or ():
        names += [text] if text.startswith(("folder:", "csv:")) else text.split(",")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def split_options(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Split `a=1,b=2` into two options; a comma inside a value stays, as in `views=id,sem`."""
    return tuple(option for text in texts or () for option in re.split(r",(?=[\w.]+=)", text))


def split_numbers(texts: Iterable[str] | None, flag: str) -> tuple[int, ...]:
    """Split repeated comma lists into whole numbers.

    Raises:
        UsageError: a part is no whole number.
    """
    numbers = []
    for text in split(texts):
        try:
            numbers.append(int(text))
        except ValueError as failure:
            raise UsageError(f"{flag} takes whole numbers, not '{text}'") from failure
    return tuple(numbers)


def read_size(text: str | None, flag: str) -> int | None:
    """Read a size such as `20GiB`, `500MB` or `0` as bytes; every unit is a power of 1024.

    Raises:
        UsageError: the text is no size.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise UsageError(f"{flag} is '{text}'; it takes a size such as 20GiB or 500MiB")
    size = float(match[1]) * 1024 ** " kmgt".index(match[2] or " ")
    if not size < LARGEST:
        raise UsageError(f"{flag} is '{text}', which is more than any disk holds")
    return int(size)


def read_count(text: str, flag: str) -> int | None:
    """Read a number, or `auto` as None.

    Raises:
        UsageError: the text is neither.
    """
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError as failure:  # also of '²', which is a digit, and of thousands of digits
        raise UsageError(f"{flag} is '{text}'; it takes 'auto' or a number") from failure


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Make a tuple of one value or of several."""
    return (value,) if isinstance(value, str | int | Path) else tuple(value)


def as_path(value: Path | str | None) -> Path | None:
    """Make a path of text; None stays None."""
    return None if value is None else Path(value)


def as_paths(value: Any) -> tuple[Path, ...]:
    """Make a tuple of paths of one path or of several."""
    return tuple(Path(item) for item in as_tuple(value))


def unchanged(value: Any) -> Any:
    """Return the value itself."""
    return value


@dataclass(frozen=True)
class Form:
    """One form of a flag's value.

    Attributes:
        metavar: how the value is shown in the help; empty for a switch.
        kind: the type that the parser of the command line makes of one text.
        repeatable: whether the flag may stand several times; `read` then gets a list, or None.
        read: turns what the parser gives, and the flag's name for messages, into the field's value.
        normalise: turns what a Python caller may pass into the field's value.
        default_text: turns the field's default into the default that the parser and the help show, or None.
    """

    metavar: str
    kind: type = str
    repeatable: bool = False
    read: Callable[[Any, str], Any] = lambda parsed, flag: parsed
    normalise: Callable[[Any], Any] = unchanged
    default_text: Callable[[Any], Any] = unchanged


def _no_default(default: Any) -> None:
    """Show no default: the help text says what holds without the flag."""


TEXT = Form("TEXT")
NUMBER = Form("N", int)
SWITCH = Form("", bool)
PATH = Form("PATH", Path, normalise=as_path)
PATHS = Form("PATH", Path, True, lambda parsed, flag: as_paths(parsed or ()), as_paths, _no_default)
NAMES = Form("NAME", str, True, lambda parsed, flag: split(parsed), as_tuple, _no_default)
NUMBERS = Form("N", str, True, split_numbers, as_tuple, _no_default)
OPTIONS = Form("KEY=VALUE", str, True, lambda parsed, flag: split_options(parsed), as_tuple, _no_default)
SIZE = Form("SIZE", str, False, read_size, unchanged, _no_default)
COUNT = Form("N", str, False, read_count, unchanged, lambda default: "auto" if default is None else str(default))


def _comma_text(default: Any) -> str | None:
    return ",".join(map(str, default)) or None


def _read_names(parsed: str | None, flag: str) -> tuple[str, ...]:
    return split([parsed] if parsed else [])


NAME_LIST = Form("NAME,…", str, False, _read_names, as_tuple, _comma_text)
NUMBER_LIST = Form("N,…", str, False, lambda parsed, flag: split_numbers([parsed], flag), as_tuple, _comma_text)
