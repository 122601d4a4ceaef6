"""The data that the page's scripts read: all numbers of the board as text, in groups that are never mixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from zsadbench.compare import Board, contents_of
from zsadbench.compare.citations import key_of, method_entry, own_papers, set_entries
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.labels import method_label
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
from zsadbench_reports.html.glossary import Glossary, glossary
from zsadbench_reports.html.histograms import BINS, histograms, records_with_images
from zsadbench_reports.html.measured import measured_groups
from zsadbench_reports.html.papers import paper_groups
from zsadbench_reports.html.series import PATHS, Series, series_of

# characters at most, so that the page stays below 2 MB
CURVES, PARTS, SCORES = 450_000, 450_000, 350_000
OWN_TITLE = "AUPRO (table’s own)"
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


class Payload(NamedTuple):
    """The data of the scripts, and how it was thinned to keep the page small.

    Attributes:
        content: the data, as JSON values.
        curves: the largest distance of a curve from its stored points; None where the page has no curves.
        parts: whether the breakdowns have all parts of all classes; None where the page has no breakdowns.
        bins: the number of bins of the histograms of scores; None where the page has none.
        too_many: `curves`, `breakdowns` or `scores` where they were left out because they are too large.
        terms: the glossary.
        series: the number of the colour and marker of every entry.
    """

    content: dict[str, Any]
    curves: float | None
    parts: bool | None
    bins: int | None
    too_many: tuple[str, ...]
    terms: Glossary
    series: Series


def payload(board: Board) -> Payload:
    """Make the data of the page: `metrics` (key, title), `datasets`, `methods`, `bib` (key → BibTeX) and `groups`.

    A group has the keys `id kind title short notes targets aupro rows cells summary classes`: `rows` are its entries;
    `cells[metric][target]` and `classes[target].cells[metric][class]` are lists of one cell per entry (see
    `cells.printed_cell`), `summary[metric][domain]` its rows of means and ranks; `aupro` is the metric of its own
    variant of AUPRO. Measured groups have `rankings` (see `measured`) and may have `curves`, `intervals`, `parts` and
    `edges` (see `details`) and `scores` (see `histograms`).
    """
    measured, details = measured_groups(board), records_with_details(board)
    names = [[row["name"] for row in group["rows"]] for group in measured]
    pairs, images = list(zip(details, names, strict=True)), records_with_images(board)
    tolerance, thinned = _fitting(lambda choice: [curves(*pair, choice) for pair in pairs], TOLERANCES, CURVES)
    every_part, parts = _fitting(lambda choice: _breakdowns(board, pairs, every_part=choice), (True, False), PARTS)
    bins, scores = _fitting(
        lambda choice: [histograms(*pair, choice) for pair in zip(images, names, strict=True)], BINS, SCORES
    )
    for index, group in enumerate(measured):
        if tolerance is not None:
            group.update(without_empty({"curves": thinned[index], "intervals": intervals(*pairs[index])}))
        if every_part is not None:
            group.update(without_empty({"parts": parts[index], "edges": area_quartiles(details[index])}))
        if bins is not None:
            group.update(without_empty({"scores": scores[index]}))
    found = {"curves": (thinned, tolerance), "breakdowns": (parts, every_part), "scores": (scores, bins)}
    too_many = tuple(name for name, (values, choice) in found.items() if any(values) and choice is None)
    groups = [*measured, *paper_groups(board)]
    series = series_of(groups)
    for group in groups:
        for row in group["rows"]:
            row["series"] = series[group["kind"], row["name"]].number
    terms = glossary(board, groups)
    return Payload(_content(board, groups, terms), tolerance, every_part, bins, too_many, terms, series)


def _content(board: Board, groups: list[dict[str, Any]], terms: Glossary) -> dict[str, Any]:
    """The data of the scripts for these groups."""
    targets = board.ordered([target for group in groups for target in group["targets"]])
    entries_of_set = {target: set_entries(board.set_of(target)) for target in targets}
    methods = list(dict.fromkeys(row["method"] for group in groups for row in group["rows"]))
    own = own_papers(board)
    entries = [
        *(method_entry(name, own) for name in methods),
        *(entry for of_set in entries_of_set.values() for entry in of_set),
    ]
    term = terms.of_heading
    return {
        "metrics": _metrics(groups),
        "datasets": {
            target: board.dataset(target)._asdict()
            | {
                "keys": list(filter(None, map(key_of, entries_of_set[target]))),
                "term": term[board.dataset(target).title],
            }
            for target in targets
        },
        "methods": {name: method_label(name, own)._asdict() | {"term": terms.of_method[name]} for name in methods},
        "bib": {key_of(entry): entry for entry in reversed(entries) if key_of(entry)},
        "markers": PATHS,
        "groups": groups,
    }


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
