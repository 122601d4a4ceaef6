"""Numbers as the page holds them: what is printed and why it is not, never a value to compute with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zsadbench.compare import Number

Cell = list[str] | None  # printed number, standard deviation, mark, reason; empty ends are left out
OWN_AUPRO = "aupro"  # each comparability group's own variant of AUPRO


def cell(number: Number, reason: str = "") -> Cell:
    """`[text, spread, mark, reason]` without its empty end; None where there is neither a number nor a reason.

    >>> cell(Number(92.44, 0.31, "best")), cell(Number(5.0)), cell(Number(), "no anomalous image"), cell(Number())
    (['92.4', '0.3', 'best'], ['5.0'], ['-', '', '', 'no anomalous image'], None)
    """
    if number.value is None and not reason:
        return None
    parts = [number.text, number.spread_text, number.mark, reason]
    while not parts[-1]:
        parts.pop()
    return parts


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without those that hold nothing: pages are copied to sticks."""
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}


def any_number(cells: Sequence[Cell]) -> bool:
    """Whether anything stands in one of `cells`."""
    return any(one is not None for one in cells)
