"""Tables of papers, made again from the published numbers alone.

Best and second are marked over a table as it was printed: that is the paper's own comparison, and the notes say
where it puts numbers of different, or of unknown, making side by side. Means and ranks are never taken over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.frame import HEADINGS, UNKNOWN
from zsadbench.compare.published import papers
from zsadbench.compare.summary import marks
from zsadbench.compare.tables.layout import Number, Row, Table

LEVELS = {"image": ("image_auroc", "image_ap"), "pixel": ("pixel_auroc", "pixel_aupro")}
BY_CLASS = ("pixel_auroc", "pixel_aupro", "image_auroc", "image_ap")
COSTS = {
    "inference_time_ms": "time [ms]",
    "inference_time_s": "time [s]",
    "inference_memory_GB": "memory [GB]",
    "training_memory_MiB": "training memory [MiB]",
    "learnable_params": "trained parameters",
    "gflops": "GFLOPs",
}
DIGITS = {"learnable_params": 0, "training_memory_MiB": 0, "inference_time_ms": 0, "inference_time_s": 3, "gflops": 1}
Values = Mapping[tuple[str, str, str], float]


class Printed(NamedTuple):
    """One table of one paper and its rows of the frame, AUPRO under one name whatever its variant."""

    paper: str
    number: str
    rows: pd.DataFrame

    @property
    def key(self) -> str:
        """`PAPER-tableN`."""
        return f"{self.paper}-table{self.number}"

    @property
    def kind(self) -> str:
        """`cost`, `ablation`, `class` or `main`."""
        if (self.rows["target"] == "").all():
            return "cost"
        if (self.rows["variant"] != "").any():
            return "ablation"
        return "class" if (self.rows["class"] != "mean").any() else "main"

    @property
    def caption(self) -> str:
        """Where it was printed and what it shows."""
        about = papers()[self.paper]
        title = about["tables"][self.number]
        return f"{about['label']} ({about['venue']} {about['year']}), Table {self.number}: {title}. As published."

    @property
    def notes(self) -> tuple[str, ...]:
        """Who computed the numbers and, of AUPRO, which variants stand side by side."""
        who = self.rows.groupby("computed_by", sort=False)["entry"].unique()
        lines = [f"Computed by: {by} ({', '.join(entries)})." for by, entries in who.items()]
        variants = [name for name in dict.fromkeys(self.rows["aupro"]) if name]
        if len(variants) > 1 or UNKNOWN in variants:
            lines.append(f"AUPRO variants side by side, as printed: {', '.join(variants)}.")
        remarks = dict.fromkeys(note for note in self.rows["note"] if "copy error" in note or "swapped" in note)
        return (*lines, *(f"Remark: {note}." for note in remarks))


def printed_tables(board: Board) -> list[Printed]:
    """Every table of every paper."""
    frame = board.published
    frame = frame.assign(metric=frame["metric"].str.replace(r"^pixel_aupro.*", "pixel_aupro", regex=True))
    return [
        Printed(str(paper), str(number), rows)
        for (paper, number), rows in frame.groupby(["source", "table"], sort=False)
    ]


def paper_main_tables(board: Board) -> list[Table]:
    """Methods over data sets: data sets down, methods across."""
    return [_main(board, one) for one in printed_tables(board) if one.kind == "main"]


def _main(board: Board, one: Printed) -> Table:
    rows = one.rows.assign(place=one.rows["target"] + "|" + one.rows["shots"])
    entries = list(dict.fromkeys(rows["entry"]))
    values = _values(rows, "entry", "place")
    lines: list[Row] = []
    targets = board.ordered(list(rows["target"]))
    for domain in dict.fromkeys(board.dataset(target).domain for target in targets):
        inside = [target for target in targets if board.dataset(target).domain == domain]
        places = [
            place for shots in dict.fromkeys(rows["shots"]) for target in inside for place in [f"{target}|{shots}"]
        ]
        for level in LEVELS:
            lines += _block(board, places, entries, (values, _metrics(rows, level)), f"{domain}, {level}")
    return Table(one.key, one.caption, "data set", tuple(entries), tuple(lines), one.notes, cites_of(board, rows))


def _block(
    board: Board, places: Sequence[str], entries: Sequence[str], found: tuple[Values, Sequence[str]], block: str
) -> Iterator[Row]:
    values, metrics = found
    heading = f"{block} ({', '.join(HEADINGS[metric] for metric in metrics)})"
    for place in places:
        if any((entry, place, metric) in values for entry in entries for metric in metrics):
            target, shots = place.split("|")
            label = board.dataset(target).title + (f", {shots}-shot" if shots != "0" else "")
            marked = {metric: _marked(values, entries, place, metric) for metric in metrics}
            cells = tuple(tuple(marked[metric][entry] for metric in metrics) for entry in entries)
            yield Row(label, cells, heading)


def _metrics(rows: pd.DataFrame, level: str) -> list[str]:
    present = set(rows["metric"])
    return [metric for metric in LEVELS[level] if metric in present]


def _values(rows: pd.DataFrame, *names: str) -> dict[tuple[str, str, str], float]:
    keys = zip(*(rows[name] for name in (*names, "metric")), strict=True)
    return dict(zip(keys, rows["value"], strict=True))


def _marked(values: Values, entries: Sequence[str], place: str, metric: str) -> dict[str, Number]:
    found = {entry: values.get((entry, place, metric)) for entry in entries}
    best = marks(found)
    return {entry: _percent(value, best.get(entry, "")) for entry, value in found.items()}


def _percent(value: float | None, mark: str = "") -> Number:
    return Number(None if value is None else 100 * value, mark=mark)


def paper_class_tables(board: Board) -> dict[str, list[Table]]:
    """Target → the tables by class that papers print of it, in the shape of FB-CLIP's appendix."""
    found: dict[str, list[Table]] = {}
    for one in printed_tables(board):
        if one.kind == "class":
            found.setdefault(str(one.rows["target"].iloc[0]), []).append(_classes(board, one))
    return found


def _classes(board: Board, one: Printed) -> Table:
    entry = str(one.rows["entry"].iloc[0])
    values = _values(one.rows, "entry", "class")
    names = [name for name in dict.fromkeys(one.rows["class"]) if name != "mean"]
    rows = [_class_row(values, entry, name) for name in [*names, "mean"]]
    columns, cites = tuple(HEADINGS[metric] for metric in BY_CLASS), cites_of(board, one.rows)
    return Table(one.key, one.caption, "class", columns, tuple(rows), one.notes, cites)


def _class_row(values: Values, entry: str, name: str) -> Row:
    cells = tuple((_percent(values.get((entry, name, metric))),) for metric in BY_CLASS)
    return Row(name, cells, "mean" if name == "mean" else "", summary=name == "mean")


def paper_ablation_tables(board: Board) -> list[Table]:
    """Variants of a method down, data sets and levels across."""
    return [_ablation(board, one) for one in printed_tables(board) if one.kind == "ablation"]


def _ablation(board: Board, one: Printed) -> Table:
    rows = one.rows[one.rows["target"] != ""]
    variants = list(dict.fromkeys(rows["entry"]))
    values = _values(rows, "entry", "target")
    wide = [(target, level, _metrics(rows, level)) for target in dict.fromkeys(rows["target"]) for level in LEVELS]
    marked = {
        (target, metric): _marked(values, variants, target, metric) for target, _, metrics in wide for metric in metrics
    }
    columns = [
        f"{board.dataset(target).title} ({', '.join(HEADINGS[metric] for metric in metrics)})"
        for target, _, metrics in wide
    ]
    lines = [
        Row(name, tuple(tuple(marked[target, metric][name] for metric in metrics) for target, _, metrics in wide))
        for name in variants
    ]
    return Table(one.key, one.caption, "variant", tuple(columns), tuple(lines), one.notes, cites_of(board, rows))


def paper_cost_tables(board: Board) -> list[Table]:
    """Time, memory and sizes, as far as a table prints any."""
    return [made for one in printed_tables(board) for made in _cost(board, one)]


def _cost(board: Board, one: Printed) -> Iterator[Table]:
    rows = one.rows[one.rows["target"] == ""]
    if rows.empty:
        return
    metrics = list(dict.fromkeys(rows["metric"]))
    values = _values(rows, "entry", "target")
    lines = [
        Row(name, tuple((Number(values.get((name, "", metric)), digits=DIGITS.get(metric, 1)),) for metric in metrics))
        for name in dict.fromkeys(rows["entry"])
    ]
    remarks = tuple(f"Remark: {note}." for note in dict.fromkeys(rows["note"]) if note and "printed as" not in note)
    columns = tuple(COSTS[metric] for metric in metrics)
    yield Table(f"{one.key}-cost", one.caption, "method", columns, tuple(lines), remarks, cites_of(board, rows))
