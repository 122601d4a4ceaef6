"""Apply a selection to a board: which measured rows stay, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import own_papers, paper_of
from zsadbench.compare.frame import GROUP
from zsadbench.compare.measured import aupro_of
from zsadbench.compare.summary import common_targets, over_seeds, target_means
from zsadbench.errors import UsageError, unknown
from zsadbench.selection import BY_MEAN, BY_NAME, BY_YEAR, OWN_AUPRO, Selection, of_flag

if TYPE_CHECKING:
    from zsadbench.types import Paper

DOMAINS = ("industrial", "medical")
USUAL = ("image_auroc", "image_ap", "pixel_auroc", OWN_AUPRO)  # the metrics of tables without a selection
UNDATED = 9999  # sorts methods without a year behind the others


def choose(board: Board, selection: Selection) -> Board:
    """The board with the measured rows of `selection`, in its order; `left_out` names the others.

    Published rows are those of the table `selection.paper`, none with `no_published`, else all.

    Raises:
        UsageError: a method, data set, metric or table of the selection does not exist or was not measured.
    """
    if selection == Selection():
        return board
    _check(board, selection)
    selection = _with_paper(board, selection)
    measured = board.measured
    kept = _in_order(board, measured[_is_chosen(board, measured, selection)], selection)
    signatures = set(kept["signature"])
    records = [(path, record) for path, record in board.records if record.signature in signatures]
    frame = pd.concat([kept, _published_rows(board, selection)], ignore_index=True)
    left_out = _left_out(measured, kept, selection)
    return replace(board, frame=frame, records=records, selection=selection, left_out=left_out, whole=board)


def spelled_out(board: Board, selection: Selection) -> Selection:
    """`selection` with the measured methods, data sets and metrics in fields that are empty, as a report orders them.

    Raises:
        UsageError: as `choose`.
    """
    chosen = choose(board, selection)
    methods = tuple(dict.fromkeys(chosen.measured["entry"]))
    in_order = list(dict.fromkeys(chosen.measured["target"]))
    targets = tuple(in_order if chosen.selection.targets else board.ordered(in_order))
    metrics = chosen.selection.metrics or (USUAL if methods else ())
    return replace(selection, methods=methods, targets=targets, metrics=metrics)


def _check(board: Board, selection: Selection) -> None:
    """Raise `UsageError` where a name of the selection was not measured, or its table does not exist."""
    rows = board.measured
    known = {
        "method": (selection.methods, {*rows["method"], *rows["entry"]}),
        "data set": (selection.targets, {*rows["target"], *map(board.set_of, rows["target"].unique()), *DOMAINS}),
        "metric": (selection.metrics, {*rows["metric"], OWN_AUPRO}),
    }
    flags = dict(zip(known, ("methods", "targets", "metrics"), strict=True))
    if selection.reference and selection.reference not in known["method"][1]:
        raise of_flag("reference", unknown("measured method", selection.reference, known["method"][1]))
    for kind, (names, measured) in known.items():
        for name in names:
            if name not in measured:
                raise of_flag(flags[kind], unknown(f"measured {kind}", name, measured))
    if selection.paper and selection.paper not in (names := _printed_names(board)):
        raise of_flag("paper", unknown("table", selection.paper, names))


def _printed_names(board: Board) -> list[str]:
    """The names `PAPER:tableN` of all published tables, those of the user's files included."""
    return [f"{name}:table{number}" for name, about in board.papers.items() for number in about.tables]


def _printed_rows(board: Board, name: str) -> pd.DataFrame:
    """The published rows of the table called `PAPER:tableN`."""
    paper, _, number = name.partition(":table")
    rows = board.published
    return rows[(rows["source"] == paper) & (rows["table"] == number)]


def _with_paper(board: Board, selection: Selection) -> Selection:
    """The selection with the data sets and metrics of its published table where it names none itself."""
    if not selection.paper:
        return selection
    rows = _printed_rows(board, selection.paper)
    rows = rows[rows["target"] != ""]
    if rows.empty:
        raise UsageError(f"--paper: {selection.paper} has no numbers on data sets; name another table")
    metrics = dict.fromkeys(OWN_AUPRO if name.startswith("pixel_aupro") else name for name in rows["metric"])
    targets = selection.targets or tuple(dict.fromkeys(rows["target"]))
    return replace(selection, targets=targets, metrics=selection.metrics or tuple(metrics))


def _is_chosen(board: Board, rows: pd.DataFrame, selection: Selection) -> pd.Series:
    """Whether each of the measured `rows` belongs to the selection."""
    kept = pd.Series(True, index=rows.index)
    if selection.methods:
        kept &= rows["method"].isin(selection.methods) | rows["entry"].isin(selection.methods)
    if selection.targets:
        kept &= rows["target"].map(lambda target: bool({*_names_of(board, target)} & {*selection.targets}))
    if selection.metrics:
        own = rows["metric"] == rows["protocol"].map(aupro_of)
        kept &= rows["metric"].isin(selection.metrics) | (own if OWN_AUPRO in selection.metrics else False)
    return kept


def _names_of(board: Board, target: str) -> tuple[str, ...]:
    """The names by which a selection may mean a measured target."""
    return target, board.set_of(target), board.dataset(target).domain


def _in_order(board: Board, rows: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """The rows sorted by method and data set; classes, seeds and metrics keep their order."""
    entries, targets = list(dict.fromkeys(rows["entry"])), list(dict.fromkeys(rows["target"]))
    method_of = dict(zip(rows["entry"], rows["method"], strict=True))
    if selection.order == BY_NAME:
        entries.sort()
    elif selection.order == BY_YEAR:
        entries.sort(key=lambda entry: _year(method_of[entry], own_papers(board)))
    elif selection.order == BY_MEAN:
        entries.sort(key=lambda entry: -_means(rows, selection).get(entry, -1.0))
    elif selection.methods:
        entries.sort(key=lambda entry: _first(selection.methods, (entry, method_of[entry])))
    if selection.targets:
        targets.sort(key=lambda target: _first(selection.targets, _names_of(board, target)))
    places = rows["entry"].map(entries.index) * len(targets) + rows["target"].map(targets.index)
    return rows.loc[places.sort_values(kind="stable").index]


def _first(listed: Sequence[str], names: Iterable[str]) -> int:
    """The first place of any of `names` in a list that has one of them."""
    return min(listed.index(name) for name in names if name in listed)


def _year(method: str, own: Mapping[str, Paper]) -> int:
    paper = paper_of(method, own)
    return paper.year if paper is not None and paper.year else UNDATED


def _means(rows: pd.DataFrame, selection: Selection) -> Mapping[str, float]:
    """The mean of every entry over the data sets that all entries of its group have, in the first metric."""
    means: dict[str, float] = {}
    for (protocol, *_), group in rows.groupby(GROUP, sort=False):
        first = (selection.metrics or USUAL)[0]
        metric = aupro_of(str(protocol)) if first == OWN_AUPRO else first
        scores, entries = over_seeds(group), list(dict.fromkeys(group["entry"][group["comparable"]]))
        common = common_targets(scores, entries, dict.fromkeys(group["target"]), [metric])
        found = target_means(scores, entries, common, metric)
        means |= {entry: value for entry, value in found.items() if value is not None}
    return means


def _published_rows(board: Board, selection: Selection) -> pd.DataFrame:
    rows = board.published
    if selection.no_published:
        return rows.iloc[:0]
    if not selection.paper:
        return rows
    return _printed_rows(board, selection.paper)


def _left_out(measured: pd.DataFrame, kept: pd.DataFrame, selection: Selection) -> dict[str, tuple[str, ...]]:
    """Names of measured methods (as tables name them), data sets and metrics without a row that is kept.

    Metrics are named only where the selection names some: tables without it show a part of them, too.
    """
    columns = {"methods": "entry", "data sets": "target"} | ({"metrics": "metric"} if selection.metrics else {})
    names = {
        kind: tuple(name for name in dict.fromkeys(measured[column]) if name not in set(kept[column]))
        for kind, column in columns.items()
    }
    return {kind: of_kind for kind, of_kind in names.items() if of_kind}
