r"""Names as they are printed. Classes, kinds of defect and files are called what somebody called them.

>>> print(one_line("metal\nnut"), one_line("\x1b[31mred"), one_line("übrig 中"))
metal\nnut \x1b[31mred übrig 中
"""

from __future__ import annotations

import unicodedata


def one_line(text: object) -> str:
    """`text` as one line that every terminal and file can hold, nothing in it hidden.

    What breaks lines, moves the cursor, turns the direction of writing or is no character at all stands there spelled
    out, as Python writes it. Records keep names as they are.
    """
    return "".join(one if _plain(one) else one.encode("unicode_escape").decode() for one in str(text))


def _plain(one: str) -> bool:
    return one.isprintable() or unicodedata.category(one) == "Zs"  # blanks of every width
