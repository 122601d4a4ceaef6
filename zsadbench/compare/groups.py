"""Comparability groups: measured rows under one protocol, backbone and number of supports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import Cites, cites_of
from zsadbench.compare.measured import aupro_of
from zsadbench.compare.summary import Key, Score, over_seeds

GROUP = ["protocol", "digest", "backbone", "shots"]


class Group(NamedTuple):
    """Measured numbers that may be compared: one protocol, backbone and number of shots."""

    name: str
    entries: list[str]
    targets: list[str]
    scores: Mapping[Key, Score]
    levels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    cites: Cites


def groups(board: Board) -> list[Group]:
    """The comparability groups of the measured numbers, in the order of the records."""
    return [group_of(board, rows) for _, rows in board.measured.groupby(GROUP, sort=False)]


def group_of(board: Board, rows: pd.DataFrame) -> Group:
    """The rows of one comparability group, summed up over seeds."""
    first = rows.iloc[0]
    shots = f", {first['shots']} support images a class" if first["shots"] != "0" else ""
    name = f"protocol {first['protocol']} ({first['digest']}), backbone {first['backbone']}{shots}"
    levels = {"image": ("image_auroc", "image_ap"), "pixel": ("pixel_auroc", aupro_of(first["protocol"]))}
    entries = list(dict.fromkeys(rows["entry"]))
    targets, notes = board.ordered(list(rows["target"])), _notes(rows)
    return Group(name, entries, targets, over_seeds(rows), levels, notes, cites_of(board, rows))


def _notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """What the marks mean, then the signatures of the runs, seeds of one run together."""
    notes = ["Best and second best are marked among comparable numbers; they tie where they are printed alike."]
    if (rows.groupby(["entry", "target"])["seed"].nunique() > 1).any():
        notes.append("±: standard deviation over seeds.")
    reasons = dict.fromkeys(note for note in rows["note"] if note)
    notes += [f"not comparable (†), in no mean, rank or mark: {reason}." for reason in reasons]
    return (*notes, *_signatures(rows))


def _signatures(rows: pd.DataFrame) -> Iterator[str]:
    seeds: dict[tuple[str, str], list[str]] = {}
    for _, row in rows.drop_duplicates("signature").iterrows():
        parts = [part for part in str(row["signature"]).split("|")[:-1] if not part.startswith("seed:")]
        known = seeds.setdefault((str(row["entry"]), "|".join(parts)), [])
        known += [] if row["seed"] in known else [str(row["seed"])]
    for (entry, signature), numbers in seeds.items():
        yield f"{entry}: {signature}|seed:{','.join(numbers)}"
