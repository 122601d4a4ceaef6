"""Comparability groups: measured numbers with the same protocol, backbone and number of support images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import Cites, cites_of
from zsadbench.compare.frame import GROUP
from zsadbench.compare.measured import DECLARED, TRANSDUCTIVE, UNOFFICIAL, aupro_of
from zsadbench.compare.summary import Key, Score, over_seeds
from zsadbench.records import data_remarks
from zsadbench.records.remarks import declared_text
from zsadbench.selection import EVERYTHING, OWN_AUPRO, Selection

DATA = "data of "  # the beginning of notes on the data of one target
MARKS = "Best and second best are marked among comparable numbers; they tie where they are printed alike."


class Group(NamedTuple):
    """One comparability group.

    Attributes:
        name: protocol, backbone and number of support images, as captions print them.
        entries: the methods, as tables name them.
        targets: the data sets, ordered as `Board.ordered` does.
        scores: means over seeds by entry, target, class and metric.
        levels: the metrics that tables show for `image` and for `pixel`, each without those that were not chosen.
        notes: the lines below a table: what marks mean, reasons, signatures.
        cites: the references of the table.
        rows: the rows of the frame that the group was made from.
        aupro: the metric of the AUPRO variant that the protocol prescribes.
        selection: how numbers are printed.
    """

    name: str
    entries: list[str]
    targets: list[str]
    scores: Mapping[Key, Score]
    levels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    cites: Cites
    rows: pd.DataFrame
    aupro: str = "pixel_aupro"
    selection: Selection = EVERYTHING


def groups(board: Board) -> list[Group]:
    """The comparability groups of the measured numbers, in the order of the records."""
    return [group_of(board, rows) for _, rows in board.measured.groupby(GROUP, sort=False)]


def group_of(board: Board, rows: pd.DataFrame) -> Group:
    """Make a group from its `rows` of the board's frame, averaged over seeds."""
    first = rows.iloc[0]
    shots = f", {first['shots']} support images per class" if first["shots"] != "0" else ""
    name = f"protocol {first['protocol']} ({first['digest']}), backbone {first['backbone']}{shots}"
    aupro = aupro_of(first["protocol"])
    chosen = [aupro if metric == OWN_AUPRO else metric for metric in board.selection.metrics]
    shown = chosen or ["image_auroc", "image_ap", "pixel_auroc", aupro]
    levels = {level: tuple(metric for metric in shown if metric.startswith(level)) for level in ("image", "pixel")}
    entries = list(dict.fromkeys(rows["entry"]))
    targets, cites = _targets(board, rows), cites_of(board, rows)
    scores, notes = over_seeds(rows), notes_of(board, rows)
    return Group(name, entries, targets, scores, levels, notes, cites, rows, aupro, board.selection)


def _targets(board: Board, rows: pd.DataFrame) -> list[str]:
    """The data sets of `rows` as `Board.ordered` sorts them; in the order of the selection where it names some."""
    targets = list(dict.fromkeys(rows["target"]))
    return targets if board.selection.targets else board.ordered(targets)


def notes_of(board: Board, rows: pd.DataFrame, *, marked: bool = True) -> tuple[str, ...]:
    """The lines below a table of the measured `rows`, and of no others.

    What marks mean (if the table is `marked`), what records say of their data, why they are not comparable, and one
    signature per run with all of its seeds.
    """
    return (*([MARKS] if marked else []), *_data_notes(board, rows), *_notes(board, rows))


def _data_notes(board: Board, rows: pd.DataFrame) -> Iterator[str]:
    """What records say of their data: files not read, unusual masks, masks and regions that vanish at the size."""
    signatures, seen = set(rows["signature"]), set[str]()
    for _, record in board.records:
        if record.signature in signatures:
            title = board.dataset(record.cell["target"]["name"]).title
            seen.update(f"{DATA}{title}: {line}." for line in data_remarks(record))
    yield from sorted(seen)


def _notes(board: Board, rows: pd.DataFrame) -> tuple[str, ...]:
    """Remarks on copies and names, why records are not comparable, then one signature per run with all seeds."""
    notes = []
    copies = [target for target in dict.fromkeys(rows["target"]) if board.set_of(target) != target]
    if copies:
        notes.append(f"Digits of the fingerprint tell copies of other content apart: {', '.join(copies)}.")
    if not board.selection.no_spread and (rows.groupby(["entry", "target"])["seed"].nunique() > 1).any():
        notes.append("±: standard deviation over seeds.")
    if rows["entry"].str.contains(rf"\b{TRANSDUCTIVE}\]").any():
        notes.append(f"{TRANSDUCTIVE}: image scores use statistics over all test images of a class.")
    if rows["entry"].str.contains(rf"\[{UNOFFICIAL}\b").any():
        notes.append(f"{UNOFFICIAL}: written from the paper alone, its open choices are ours; no official code exists.")
    notes += _declared(board, rows)
    reasons = dict.fromkeys(note for note in rows["note"] if note)
    notes += [f"not comparable (†), in no mean, rank or mark: {reason}." for reason in reasons]
    return (*notes, *_signatures(rows))


def _declared(board: Board, rows: pd.DataFrame) -> Iterator[str]:
    """What the authors of external maps declare, one line per entry."""
    external = rows[rows["computed_by"] == DECLARED]
    if not external.empty:
        yield f"{DECLARED}: measured here from maps of another program; how it made them is not verified."
    cells = {record.signature: record.cell for _, record in board.records}
    for entry, signature in external.drop_duplicates("entry")[["entry", "signature"]].itertuples(index=False):
        if str(signature) in cells:
            yield f"{entry}: {declared_text(cells[str(signature)])}."


def _signatures(rows: pd.DataFrame) -> Iterator[str]:
    seeds_of: dict[tuple[str, str], list[str]] = {}
    for _, row in rows.drop_duplicates("signature").iterrows():
        parts = [part for part in str(row["signature"]).split("|")[:-1] if not part.startswith("seed:")]
        seeds = seeds_of.setdefault((str(row["entry"]), "|".join(parts)), [])
        seeds += [] if row["seed"] in seeds else [str(row["seed"])]
    for (entry, signature), seeds in seeds_of.items():
        yield f"{entry}: {signature}|seed:{','.join(seeds)}"
