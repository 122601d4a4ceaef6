"""The tables of papers, made from the published numbers alone.

Best and second best are marked over a table as it was printed: this is the paper's own comparison. Notes say where it
compares numbers of different or unknown AUPRO variants. No means or ranks are computed over it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from zsadbench import registry
from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of, venues_of
from zsadbench.compare.frame import COSTS, HEADINGS, UNKNOWN, is_cost
from zsadbench.compare.paper_rows import PaperTable, find_table, table_names
from zsadbench.compare.printed_papers import PrintedPaper
from zsadbench.compare.summary import marks
from zsadbench.compare.tables.layout import Number, Row, Table, over_levels
from zsadbench.compare.tables.ticks import with_ticks
from zsadbench.errors import DataError

LEVELS = {"image": ("image_auroc", "image_ap"), "pixel": ("pixel_auroc", "pixel_aupro")}
MORE = ("image_f1max", "pixel_ap", "pixel_f1max", "pixel_segf1")  # shown where a table has them
HOW = {  # columns that say how a number was computed, and their names
    **{"protocol": "protocol", "aupro": "AUPRO variant", "split": "split", "smoothing": "smoothing"},
    **{"backbone": "backbone", "aux": "auxiliary set", "image_size": "image size"},
}
BY_CLASS = ("pixel_auroc", "pixel_aupro", "image_auroc", "image_ap")
DIGITS = {"learnable_params": 0, "training_memory_MiB": 0, "inference_time_ms": 0, "inference_time_s": 3, "gflops": 1}
PrintedNumbers = Mapping[tuple[str, ...], Number]  # entry, row of the printed table, metric → number as printed


class PrintedTable(NamedTuple):
    """The numbers of one table of one paper: its rows of the frame, all variants of AUPRO as `pixel_aupro`.

    `part` names the method and data set of a table by class that was printed with others as one.
    """

    about: PrintedPaper
    number: str
    rows: pd.DataFrame
    part: str = ""

    @property
    def paper(self) -> str:
        """The short name of the paper."""
        return self.about.name

    @property
    def key(self) -> str:
        """`PAPER-tableN`, followed by the part where there is one."""
        part = re.sub(r"[^A-Za-z0-9]+", "-", self.part)
        return f"{self.paper}-table{self.number}" + (f"-{part}" if part else "")

    @property
    def name(self) -> str:
        """`PAPER:tableN`."""
        return f"{self.paper}:table{self.number}"

    @property
    def kind(self) -> str:
        """`cost`, `ablation` (variants of a method), `class` (classes of a data set) or `main` (over data sets)."""
        if (self.rows["target"] == "").all():
            return "cost"
        if (self.rows["variant"] != "").any():
            return "ablation"
        return "main" if self.rows["class"].isin(["mean", ""]).all() else "class"

    @property
    def accuracies(self) -> pd.DataFrame:
        """Its rows without costs."""
        return self.rows[self.rows["target"] != ""]

    @property
    def caption(self) -> str:
        """Paper, venue, year, number and printed title."""
        return self.about.caption(self.number) + (f", {self.part}" if self.part else "") + ". As published."

    @property
    def notes(self) -> tuple[str, ...]:
        """Who computed the numbers, which variants of AUPRO the table mixes, and remarks on single numbers."""
        computed = self.rows.groupby("computed_by", sort=False)["entry"].unique()
        lines = [f"Computed by: {by} ({', '.join(entries)})." for by, entries in computed.items()]
        lines = lines if len(lines) > 1 else [f"Computed by: {by}." for by in computed.index]
        variants = [name for name in dict.fromkeys(self.rows["aupro"]) if name]
        if len(variants) > 1 or UNKNOWN in variants:
            lines.append(f"AUPRO variants side by side, as printed: {', '.join(variants)}.")
        if self.about.own:
            remarks = dict.fromkeys(note for note in self.rows["note"] if note)
            lines = [self.about.source, *self._conditions(), *lines]
        else:
            remarks = dict.fromkeys(note for note in self.rows["note"] if "copy error" in note or "swapped" in note)
        return (*lines, *(f"Remark: {note}." for note in remarks))

    def described(self) -> PaperTable | None:
        """What ran in its rows; None without a description, or where that of a package is wrong."""
        try:
            return find_table(self.name) if self.name in table_names() else None
        except DataError as failure:
            if not self.about.origin:
                raise
            registry.warn_once(f"{self.name} is shown without its description: {failure}")
            return None

    def _conditions(self) -> Iterator[str]:
        """How the numbers were computed, as far as the file says."""
        known = {title: [value for value in dict.fromkeys(self.rows[name]) if value] for name, title in HOW.items()}
        told = [f"{title} {', '.join(values)}" for title, values in known.items() if set(values) - {UNKNOWN}]
        unknown = [title for title, values in known.items() if values and not set(values) - {UNKNOWN}]
        told += [f"unknown: {', '.join(unknown)}"] if unknown else []
        yield f"Conditions: {'; '.join(told)}."


def printed_tables(board: Board) -> list[PrintedTable]:
    """The printed tables of all papers."""
    frame = board.published
    frame = frame.assign(metric=frame["metric"].str.replace(r"^pixel_aupro.*", "pixel_aupro", regex=True))
    return [
        table
        for (paper, number), rows in frame.groupby(["source", "table"], sort=False)
        for table in _parts(PrintedTable(board.papers[str(paper)], str(number), rows))
    ]


def _parts(table: PrintedTable) -> Iterator[PrintedTable]:
    """A table over data sets, and one by class for each method and data set where several are printed as one."""
    of_class = ~table.rows["class"].isin(["mean", ""])
    places = table.rows[of_class][["entry", "target"]].drop_duplicates()
    if len(places) == 0 or table.rows[["entry", "target"]].drop_duplicates().shape[0] == 1:
        yield table
        return
    if not of_class.all():
        yield table._replace(rows=table.rows[~of_class])
    for entry, target in places.itertuples(index=False):
        rows = table.rows[(table.rows["entry"] == entry) & (table.rows["target"] == target)]
        yield table._replace(rows=rows, part=f"{entry} on {target}")


def paper_main_tables(board: Board) -> list[Table]:
    """Tables of methods over data sets: one row per data set and number of shots, one column per method."""
    return [_main_table(board, printed) for printed in printed_tables(board) if printed.kind == "main"]


def _main_table(board: Board, printed: PrintedTable) -> Table:
    rows = printed.accuracies
    rows = rows.assign(set_and_shots=rows["target"] + "|" + rows["shots"])
    entries = list(dict.fromkeys(rows["entry"]))
    values = printed_numbers(rows, "entry", "set_and_shots")
    table_rows: list[Row] = []
    targets = board.ordered(list(rows["target"]))
    for domain in dict.fromkeys(board.dataset(target).domain for target in targets):
        of_domain = [target for target in targets if board.dataset(target).domain == domain]
        sets_and_shots = [f"{target}|{shots}" for shots in dict.fromkeys(rows["shots"]) for target in of_domain]
        for level in LEVELS:
            numbers = values, _metrics(rows, level)
            table_rows += _block(board, sets_and_shots, entries, numbers, f"{domain}, {level}")
    cites = cites_of(board, rows)
    columns, venues = tuple(entries), venues_of(board, rows)
    return Table(
        printed.key, printed.caption, "data set", columns, tuple(table_rows), printed.notes, cites, venues=venues
    )


def _block(
    board: Board,
    sets_and_shots: Sequence[str],
    entries: Sequence[str],
    numbers: tuple[PrintedNumbers, Sequence[str]],
    block: str,
) -> Iterator[Row]:
    """The rows of one domain and level; `numbers` are the values and the metrics of the level."""
    values, metrics = numbers
    heading = f"{block} ({', '.join(HEADINGS[metric] for metric in metrics)})"
    for key in sets_and_shots:
        if any((entry, key, metric) in values for entry in entries for metric in metrics):
            target, shots = key.split("|")
            label = board.dataset(target).title + (f", {shots}-shot" if shots != "0" else "")
            marked = {metric: _marked(values, entries, key, metric) for metric in metrics}
            cells = tuple(tuple(marked[metric][entry] for metric in metrics) for entry in entries)
            yield Row(label, cells, heading)


def _metrics(rows: pd.DataFrame, level: str) -> list[str]:
    present = set(rows["metric"])
    more = [metric for metric in MORE if metric.startswith(level)]
    return [metric for metric in (*LEVELS[level], *more) if metric in present]


def printed_numbers(rows: pd.DataFrame, *names: str) -> dict[tuple[str, ...], Number]:
    """The numbers of a table as they are printed, by the columns `names` and the metric: accuracies in percent."""
    keys = zip(*(rows[name].astype(str) for name in (*names, "metric")), strict=True)
    shown = zip(rows["value"], rows["spread"], rows["printed"], rows["metric"], strict=True)
    return {key: _as_printed(*number) for key, number in zip(keys, shown, strict=True)}


def _as_printed(value: float, spread: float, printed: str, metric: str) -> Number:
    """A number with the decimals that the paper prints."""
    scale, decimals = (1 if is_cost(metric) else 100), len(printed.partition(".")[2])
    return Number(scale * value, None if math.isnan(spread) else scale * spread, digits=decimals)


def _marked(numbers: PrintedNumbers, entries: Sequence[str], key: str, metric: str) -> dict[str, Number]:
    """The numbers of all entries in one row and metric, best and second best marked."""
    by_entry = {entry: numbers.get((entry, key, metric), Number()) for entry in entries}
    decimals = max((number.digits for number in by_entry.values() if number.value is not None), default=1)
    fractions = {name: None if one.value is None else one.value / 100 for name, one in by_entry.items()}
    best = marks(fractions, decimals)
    return {entry: replace(number, mark=best.get(entry, "")) for entry, number in by_entry.items()}


def paper_class_tables(board: Board) -> dict[str, list[Table]]:
    """Target → the tables of its classes that papers print, with the layout of FB-CLIP's appendix."""
    tables: dict[str, list[Table]] = {}
    for printed in printed_tables(board):
        if printed.kind == "class":
            tables.setdefault(str(printed.rows["target"].iloc[0]), []).append(_class_table(board, printed))
    return tables


def _class_table(board: Board, printed: PrintedTable) -> Table:
    entry = str(printed.rows["entry"].iloc[0])
    values = printed_numbers(printed.rows, "entry", "class")
    names = [name for name in dict.fromkeys(printed.rows["class"]) if name != "mean"]
    metrics = (*BY_CLASS, *(metric for metric in MORE if metric in set(printed.rows["metric"])))
    rows = []
    for name in [*names, "mean"]:
        cells = tuple((values.get((entry, name, metric), Number()),) for metric in metrics)
        rows.append(Row(name, cells, "mean" if name == "mean" else "", summary=name == "mean"))
    columns, cites = tuple(HEADINGS[metric] for metric in metrics), cites_of(board, printed.rows)
    over = over_levels(metrics)
    return Table(printed.key, printed.caption, "class", columns, tuple(rows), printed.notes, cites, over=over)


def paper_ablation_tables(board: Board) -> list[Table]:
    """Tables of ablations: one row per variant of a method, one column per data set and level."""
    return [_ablation_table(board, printed) for printed in printed_tables(board) if printed.kind == "ablation"]


def _ablation_table(board: Board, printed: PrintedTable) -> Table:
    rows = printed.accuracies
    variants = list(dict.fromkeys(rows["entry"]))
    values = printed_numbers(rows, "entry", "target")
    columns = [(target, _metrics(rows, level)) for target in dict.fromkeys(rows["target"]) for level in LEVELS]
    marked = {
        (target, metric): _marked(values, variants, target, metric) for target, metrics in columns for metric in metrics
    }
    headings = tuple(
        f"{board.dataset(target).title} ({', '.join(HEADINGS[metric] for metric in metrics)})"
        for target, metrics in columns
    )
    table_rows = tuple(
        Row(name, tuple(tuple(marked[target, metric][name] for metric in metrics) for target, metrics in columns))
        for name in variants
    )
    cites = cites_of(board, rows)
    table = Table(printed.key, printed.caption, "variant", headings, table_rows, printed.notes, cites)
    described = printed.described()
    return with_ticks(table, described) if described else table


def paper_cost_tables(board: Board) -> list[Table]:
    """Tables of time, memory and sizes: one row per method, for every printed table that has such numbers."""
    printed = printed_tables(board)
    return [_cost_table(board, table) for table in printed if (table.rows["target"] == "").any()]


def _cost_table(board: Board, printed: PrintedTable) -> Table:
    rows = printed.rows[printed.rows["target"] == ""]
    metrics = list(dict.fromkeys(rows["metric"]))
    values = printed_numbers(rows, "entry", "target")
    table_rows = tuple(
        Row(name, tuple((values.get((name, "", metric), Number()),) for metric in metrics))
        for name in dict.fromkeys(rows["entry"])
    )
    remarks = tuple(f"Remark: {note}." for note in dict.fromkeys(rows["note"]) if note and "printed as" not in note)
    remarks = (*filter(None, [printed.about.source]), *remarks)
    columns = tuple(COSTS[metric] for metric in metrics)
    return Table(f"{printed.key}-cost", printed.caption, "method", columns, table_rows, remarks, cites_of(board, rows))
