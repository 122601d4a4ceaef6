r"""Print names of classes, defects and files safely, and sentences that several commands print.

Names come from outside and may contain control characters.

>>> print(one_line("metal\nnut"), one_line("\x1b[31mred"), one_line("übrig 中"))
metal\nnut \x1b[31mred übrig 中
"""

from __future__ import annotations

import re
import unicodedata


def one_line(text: object) -> str:
    """Convert `text` to one printable line.

    Characters that break lines, move the cursor or change the direction of writing, and invalid characters, are
    written as Python escapes. Names in records are not changed.
    """
    return "".join(
        character if _is_printable(character) else character.encode("unicode_escape").decode()
        for character in str(text)
    )


FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")  # what starts a formula in a spreadsheet, in full width as well


def spreadsheet_text(text: object) -> str:
    """Convert a text to one line for a cell of a CSV table that no spreadsheet takes for a formula.

    Numbers are never passed through this: a text that begins like a formula gets an apostrophe before it.

    >>> spreadsheet_text("=1+1"), spreadsheet_text(" @x"), spreadsheet_text("bolt")
    ("'=1+1", "' @x", 'bolt')
    """
    shown = one_line(text)
    return f"'{shown}" if shown.lstrip()[:1] in FORMULA else shown


CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}


def without_controls(text: str) -> str:
    r"""Convert a text of many lines to one without control characters and lone surrogates, which are written out.

    >>> without_controls("a\x00\x1b[31m\n\udcff")
    'a\\x00\\x1b[31m\n\\udcff'
    """
    return text.translate(CONTROLS).encode(errors="backslashreplace").decode()


def printable_lines(message: object) -> list[str]:
    r"""Convert a message to printable lines: one, or three where something was not found.

    >>> printable_lines("no x\n  looked for: 'a\tb'\n  what to do: make it")
    ['no x', "  looked for: 'a\\tb'", '  what to do: make it']
    """
    return [one_line(line) for line in re.split(r"\n(?=  (?:looked for|what to do): )", str(message))]


def _is_printable(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"  # spaces of any width


SPANS = (("year", 365.25 * 86400), ("month", 30.44 * 86400), ("day", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def duration_text(seconds: float) -> str:
    """Say a duration as people do: in the largest unit that it fills, with one decimal below ten.

    >>> [duration_text(hours * 3600) for hours in (30700, 9, 1.25, 60, 0.02, 0)]
    ['3.5 years', '9 h', '1.2 h', '2.5 days', '1.2 min', '0 s']
    """
    name, length = next((span for span in SPANS if seconds >= span[1]), SPANS[-1])
    count = seconds / length
    shown = f"{count:.1f}".removesuffix(".0") if count < 10 else f"{count:.0f}"
    return f"{shown} {name}" + ("s" if len(name) > 3 or name == "day" else "") * (shown != "1")


def score_text(score: float) -> str:
    """Write a score with four decimals; one that these would show as nearly 0 with four digits.

    >>> score_text(0.25), score_text(0.0), score_text(-3.5542e-13)
    ('0.2500', '0.0000', '-3.554e-13')
    """
    return f"{score:.3e}" if 0 < abs(score) < 0.001 else f"{score:.4f}"


def size_text(size: int) -> str:
    """Say a number of bytes in the largest unit that it fills.

    >>> [size_text(size) for size in (0, 1023, 1536, 5 << 20, 932 << 20, 3 << 30)]
    ['0 B', '1023 B', '1.5 KiB', '5.0 MiB', '932 MiB', '3.0 GiB']
    """
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.1f} {units[0]}" if units[0] != "B" and value < 100 else f"{value:.0f} {units[0]}"


def left_out_line(number: int, first: str) -> str:
    """Say that files of a data set are not read; `first` is the path of the first.

    >>> left_out_line(12, "test/dent/cam1/000.png")
    "12 files that are or claim to be images are not read, first 'test/dent/cam1/000.png'"
    """
    files = (
        "1 file that is or claims to be an image is"
        if number == 1
        else f"{number} files that are or claim to be images are"
    )
    return f"{files} not read" + (f", first '{first}'" if first else "")


def blank_masks_line(emptied: int, masks: int, size: int, regions: str = "") -> str:
    """Say that masks mark nothing after resizing to `size` × `size`, and what to do; `regions` says what else vanishes.

    >>> blank_masks_line(3, 4, 518)
    '3 of 4 masks are blank at 518×518; evaluate at a larger --image-size or with --protocol strict-native'
    """
    at = f"at {size}×{size}"
    what = (
        f"{regions} {at}"
        if not emptied
        else f"{emptied} of {masks} masks are blank {at}" + f" ({regions})" * bool(regions)
    )
    return f"{what}; evaluate at a larger --image-size or with --protocol strict-native"
