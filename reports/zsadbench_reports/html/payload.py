"""What the page's scripts read: every number of the board, printed, in groups that are never mixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from zsadbench.compare import Board, contents_of
from zsadbench.compare.frame import HEADINGS
from zsadbench_reports.html.cells import OWN_AUPRO, without_empty
from zsadbench_reports.html.curves import TOLERANCES
from zsadbench_reports.html.details import Beside, area_quartiles, beside_records, breakdowns, curves, intervals
from zsadbench_reports.html.measured import measured_groups
from zsadbench_reports.html.papers import paper_groups

CURVES, PARTS = 600_000, 600_000  # letters: the page stays below 2 MB
OWN_TITLE = "AUPRO (table’s own)"
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


class Payload(NamedTuple):
    """What the scripts read, and what had to be thinned or left out for the page to stay small.

    `curves` is how far a curve may lie from its stored points, `parts` whether breakdowns hold every part of every
    class; both are None where nothing of the kind is on the page, because there is none or as `too_many` names it.
    """

    content: dict[str, Any]
    curves: float | None
    parts: bool | None
    too_many: tuple[str, ...]


def payload(board: Board) -> Payload:
    """Its content: `metrics` (key, title), `datasets` {target → title, domain} and `groups`.

    A group has `id kind title short notes targets aupro rows cells summary classes`: `rows` are its entries;
    `cells[metric][target]` and `classes[target].cells[metric][class]` hold one cell an entry (see `cells.cell`),
    `summary[metric][domain]` its lines of means and ranks; `aupro` is the metric that stands for its own AUPRO.
    Measured groups may have `curves`, `intervals`, `parts` and `edges` (see `details`).
    """
    measured, beside = measured_groups(board), beside_records(board)
    names = [[row["name"] for row in group["rows"]] for group in measured]
    pairs = list(zip(beside, names, strict=True))
    within, drawn = _fitting(lambda choice: [curves(*pair, choice) for pair in pairs], TOLERANCES, CURVES)
    every, broken = _fitting(lambda choice: _breakdowns(board, pairs, every_part=choice), (True, False), PARTS)
    for place, group in enumerate(measured):
        more = {"curves": drawn[place], "intervals": intervals(*pairs[place])} if within is not None else {}
        more |= {"parts": broken[place], "edges": area_quartiles(beside[place])} if every is not None else {}
        group.update(without_empty(more))
    groups = [*measured, *paper_groups(board)]
    targets = board.ordered([target for group in groups for target in group["targets"]])
    content = {
        "metrics": _metrics(groups),
        "datasets": {target: board.dataset(target)._asdict() for target in targets},
        "groups": groups,
    }
    some = {"curves": any(drawn) and within is None, "breakdowns": any(broken) and every is None}
    return Payload(content, within, every, tuple(name for name, left_out in some.items() if left_out))


def _breakdowns(board: Board, pairs: Sequence[tuple[list[Beside], list[str]]], *, every_part: bool) -> list[Any]:
    tables = contents_of(board).breakdown
    return [breakdowns(*pair, tables, number, every_part=every_part) for number, pair in enumerate(pairs, start=1)]


def _fitting(make: Callable[[Any], list[Any]], choices: Sequence[Any], most: int) -> tuple[Any, list[Any]]:
    """What `make` gives, with the first of `choices` for which it takes at most `most` letters, or None for none."""
    made: list[Any] = []
    for choice in choices:
        made = make(choice)
        if not any(made):
            break
        if len(json.dumps(made, separators=(",", ":"))) <= most:
            return choice, made
    return None, made


def _metrics(groups: list[dict[str, Any]]) -> list[list[str]]:
    """The metrics that any group has, in the order of tables: the shared ones, each one's own AUPRO, its variants."""
    found = dict.fromkeys(name for group in groups for name in (*group["cells"], *_by_class(group)))
    named = {name: title for name, title in HEADINGS.items() if not name.startswith("pixel_aupro")}
    ordered = [*named, OWN_AUPRO, *HEADINGS, *found]
    titles = HEADINGS | {"pixel_aupro": "AUPRO (exact)", OWN_AUPRO: OWN_TITLE}
    return [[name, titles.get(name, name)] for name in dict.fromkeys(ordered) if name in {*found, OWN_AUPRO}]


def _by_class(group: dict[str, Any]) -> list[str]:
    return [metric for classes in group["classes"].values() for metric in classes["cells"]]


def as_script(value: Any) -> Markup:
    r"""JSON for the inside of a script element: nothing in it can end the element.

    >>> print(as_script({"name": "</script>"}))
    {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(UNSAFE))  # noqa: S704 - what could end the element is escaped above
