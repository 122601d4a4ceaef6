"""Switches of the rows of an ablation: which parts a row has, as ticks.

`zsadbench/papers/PAPER/tableN.toml` maps the name of a switch to options, `key=value` or `key!=value`, in its table
`switches`. A row has a switch when its options fulfil all of them; an option with several values needs the given ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from zsadbench import registry
from zsadbench.compare.paper_rows import PaperRow, PaperTable, why_left_out
from zsadbench.compare.tables.layout import Table

NUMBERED = re.compile(r"\brow \d+$")  # the end of a label that stands for ticks
LOST = "ticks"  # in a remark on a row whose printed ticks are not known


def options_of(row: PaperRow) -> dict[str, str]:
    """All options of a row's method with the values of the row, as `plain` spells them."""
    card = registry.method_card(row.method)
    values: dict[str, Any] = asdict(card.options())
    for option in row.options:
        key, _, value = option.partition("=")
        values |= card.presets[value] if key == "preset" else {key: value}
    return {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> str:
    """Spell an option's value in one way: booleans in lower case, numbers as floats, lists sorted.

    >>> plain(("sem", "id")), plain("id,sem"), plain(True), plain("0.50")
    ('id,sem', 'id,sem', 'true', '0.5')
    """
    if isinstance(value, tuple | list):
        return ",".join(sorted(plain(item) for item in value))
    text = str(value).lower()
    if "," in text:
        return plain(text.split(","))
    try:
        return str(float(text))
    except ValueError:
        return text


def with_ticks(table: Table, described: PaperTable) -> Table:
    """`table` with the ticks of its rows, whose labels are those of `described`; unchanged without switches."""
    rows = {row.label: row for row in described.rows if not why_left_out(row)}
    if not described.switches or any(row.label not in rows for row in table.rows):
        return table
    ticked = tuple(replace(row, ticks=ticks_of(rows[row.label], described.switches)) for row in table.rows)
    notes = dict.fromkeys([*table.notes, *_lost(described, [row.label for row in table.rows])])
    return replace(table, rows=ticked, switches=tuple(described.switches), notes=tuple(notes))


def ticks_of(row: PaperRow, switches: Mapping[str, Sequence[str]]) -> tuple[bool, ...]:
    """For each switch whether the options of `row` fulfil it."""
    options = options_of(row)
    return tuple(all(_fulfils(options, condition) for condition in switches[name]) for name in switches)


def row_name(row: PaperRow, table: PaperTable) -> str:
    """The label of a row; its switches where the label only counts them, as `3-module row 6` does."""
    if not table.switches or not NUMBERED.search(row.label):
        return row.label
    return "+".join(name for name, has in zip(table.switches, ticks_of(row, table.switches), strict=True) if has)


def _fulfils(options: Mapping[str, str], condition: str) -> bool:
    key, negated, value = re.fullmatch(r"(\w+)(!?)=(.*)", condition).groups()  # type: ignore[union-attr]
    wanted, own = {*plain(value).split(",")}, {*options[key].split(",")}
    return own != wanted if negated else wanted <= own


def _lost(table: PaperTable, labels: Sequence[str]) -> Iterator[str]:
    """Which rows have ticks that are not known from the paper, and why these are shown."""
    rows: dict[str, list[str]] = {}
    for row in table.rows:
        if row.label in labels and LOST in row.uncertain:
            rows.setdefault(row.uncertain, []).append(row_name(row, table))
    for reason, names in rows.items():
        yield f"{', '.join(names)}: {reason}."
