r"""Print names of classes, defects and files safely: they come from outside and may contain control characters.

>>> print(one_line("metal\nnut"), one_line("\x1b[31mred"), one_line("übrig 中"))
metal\nnut \x1b[31mred übrig 中
"""

from __future__ import annotations

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


def _is_printable(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"  # spaces of any width
