"""Cells of the page: numbers as they are printed, and the reason where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsadbench.compare import Number

PrintedCell = list[str] | None  # number, spread, mark, reason, remark; empty fields at the end are left out
OWN_AUPRO = "aupro"  # the variant of AUPRO that each comparability group uses


def printed_cell(number: Number, reason: str = "") -> PrintedCell:
    """`[text, spread, mark, reason, remark]` without empty fields at the end; None for neither a number nor a reason.

    >>> printed_cell(Number(92.44, 0.31, "best")), printed_cell(Number(5.0))
    (['92.4', '0.3', 'best'], ['5.0'])
    >>> printed_cell(Number(), "no anomalous image"), printed_cell(Number())
    (['-', '', '', 'no anomalous image'], None)
    """
    if number.value is None and not (reason or number.remark):
        return None
    remark = "" if number.value is None else number.remark
    fields = [number.text, number.spread_text, number.mark, reason or (number.remark if not remark else ""), remark]
    while not fields[-1]:
        fields.pop()
    return fields


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without empty ones, which keeps the page small."""
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}
