"""The data that the page's scripts read: all numbers of the board as text, in groups that are never mixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from zsadbench.compare import Board, contents_of
from zsadbench.compare.frame import HEADINGS
from zsadbench_reports.html.cells import OWN_AUPRO, without_empty
from zsadbench_reports.html.curves import TOLERANCES
from zsadbench_reports.html.details import (
    RecordDetails,
    area_quartiles,
    breakdowns,
    curves,
    intervals,
    records_with_details,
)
from zsadbench_reports.html.measured import measured_groups
from zsadbench_reports.html.papers import paper_groups

CURVES, PARTS = 600_000, 600_000  # characters at most, so that the page stays below 2 MB
OWN_TITLE = "AUPRO (table’s own)"
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


class Payload(NamedTuple):
    """The data of the scripts, and how it was thinned to keep the page small.

    Attributes:
        content: the data, as JSON values.
        curves: the largest distance of a curve from its stored points; None where the page has no curves.
        parts: whether the breakdowns have all parts of all classes; None where the page has no breakdowns.
        too_many: `curves` or `breakdowns` where they were left out because they are too large.
    """

    content: dict[str, Any]
    curves: float | None
    parts: bool | None
    too_many: tuple[str, ...]


def payload(board: Board) -> Payload:
    """Make the data of the page: `metrics` (key, title), `datasets` {target → title, domain} and `groups`.

    A group has the keys `id kind title short notes targets aupro rows cells summary classes`: `rows` are its entries;
    `cells[metric][target]` and `classes[target].cells[metric][class]` are lists of one cell per entry (see
    `cells.printed_cell`), `summary[metric][domain]` its rows of means and ranks; `aupro` is the metric of its own
    variant of AUPRO. Measured groups may have `curves`, `intervals`, `parts` and `edges` (see `details`).
    """
    measured, details = measured_groups(board), records_with_details(board)
    names = [[row["name"] for row in group["rows"]] for group in measured]
    pairs = list(zip(details, names, strict=True))
    tolerance, thinned = _fitting(lambda choice: [curves(*pair, choice) for pair in pairs], TOLERANCES, CURVES)
    every_part, parts = _fitting(lambda choice: _breakdowns(board, pairs, every_part=choice), (True, False), PARTS)
    for index, group in enumerate(measured):
        if tolerance is not None:
            group.update(without_empty({"curves": thinned[index], "intervals": intervals(*pairs[index])}))
        if every_part is not None:
            group.update(without_empty({"parts": parts[index], "edges": area_quartiles(details[index])}))
    groups = [*measured, *paper_groups(board)]
    targets = board.ordered([target for group in groups for target in group["targets"]])
    content = {
        "metrics": _metrics(groups),
        "datasets": {target: board.dataset(target)._asdict() for target in targets},
        "groups": groups,
    }
    left_out = {"curves": any(thinned) and tolerance is None, "breakdowns": any(parts) and every_part is None}
    return Payload(content, tolerance, every_part, tuple(name for name, is_left_out in left_out.items() if is_left_out))


def _breakdowns(board: Board, pairs: Sequence[tuple[list[RecordDetails], list[str]]], *, every_part: bool) -> list[Any]:
    tables = contents_of(board).breakdown
    return [breakdowns(*pair, tables, number, every_part=every_part) for number, pair in enumerate(pairs, start=1)]


def _fitting(make: Callable[[Any], list[Any]], choices: Sequence[Any], most: int) -> tuple[Any, list[Any]]:
    """The first of `choices` for which the result of `make` has at most `most` characters as JSON, and the result.

    The choice is None where no result is small enough or there is nothing to show.
    """
    result: list[Any] = []
    for choice in choices:
        result = make(choice)
        if not any(result):
            break
        if len(json.dumps(result, separators=(",", ":"))) <= most:
            return choice, result
    return None, result


def _metrics(groups: list[dict[str, Any]]) -> list[list[str]]:
    """Key and title of all metrics of the groups: those common to all, the groups' own AUPRO, the variants of AUPRO."""
    present: dict[str, None] = {}
    for group in groups:
        present |= dict.fromkeys(group["cells"])
        present |= dict.fromkeys(metric for classes in group["classes"].values() for metric in classes["cells"])
    common = [name for name in HEADINGS if not name.startswith("pixel_aupro")]
    ordered = dict.fromkeys([*common, OWN_AUPRO, *HEADINGS, *present])
    titles = HEADINGS | {"pixel_aupro": "AUPRO (exact)", OWN_AUPRO: OWN_TITLE}
    return [[name, titles.get(name, name)] for name in ordered if name in {*present, OWN_AUPRO}]


def as_script(value: Any) -> Markup:
    r"""`value` as JSON for the inside of a script element, escaped so that it cannot end the element.

    >>> print(as_script({"name": "</script>"}))
    {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(UNSAFE))  # noqa: S704 - what could end the element is escaped above
