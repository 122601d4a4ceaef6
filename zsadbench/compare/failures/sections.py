"""Where methods fail, image by image: of every data set that was run with maps kept, the images worth looking at.

A section is one target under one protocol and backbone, with the runs that kept their maps on it. Its examples are
those of `failures_choice`. How wrong scores are is exact, whatever the size of the set; what needs maps is measured on
`EXAMINED` images, evenly spaced, and on those that scores alone put in front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.board import Board
from zsadbench.compare.failures.colour_scale import Levels, evenly, levels_of
from zsadbench.compare.failures.patterns import Measures, measure
from zsadbench.compare.failures.rank_errors import errors_of
from zsadbench.compare.failures.runs import Copy, Group, Run, copy_of, runs_of
from zsadbench.compare.failures.selection import Finding, Found, Row, disagreed, orders_of, worst
from zsadbench.data import read_mask, resize_mask_nearest
from zsadbench.data.cards.card import PositiveRule
from zsadbench.errors import DataError

EXAMINED = 3000


@dataclass(frozen=True)
class Example:
    """One image of a section. `path` is relative to the set; `image` and `mask` are files, None where not at hand."""

    path: str
    class_name: str
    defect: str
    label: int
    image: Path | None
    mask: Path | None
    found: Mapping[str, Finding]


@dataclass(frozen=True)
class Section:
    """One target under one protocol and backbone; `runs` and `levels` in the order in which methods are shown."""

    group: Group
    title: str
    runs: Sequence[Run]
    levels: Mapping[str, Levels]
    examples: Sequence[Example]
    total: int
    examined: int
    positive: PositiveRule
    notes: Sequence[str]


def sections_of(board: Board) -> Iterator[Section]:
    """Every section of the records of `board`; none where no record has maps."""
    for group, runs in runs_of(board).items():
        cell = runs[0].record.cell
        copy = copy_of(group.target, cell["target"]["fingerprint"], board.data_roots)
        yield _section(board, group, runs, copy)


def _section(board: Board, group: Group, runs: Sequence[Run], copy: Copy) -> Section:
    rows = _rows(runs)
    masks = _Masks(copy)
    levels = {run.entry: levels_of(run, _labelled(run), masks) for run in runs}
    scored = {run.entry: _scored(run) for run in runs}
    examined = {path for path, _ in evenly([(path, row["label"]) for path, row in rows.items()], EXAMINED)}
    by_score = {path for order in orders_of("error") for path in worst(order, rows, scored)}
    measured = {path: _measured(runs, path, rows[path]["label"], masks, levels) for path in sorted(examined | by_score)}
    found = {
        run.entry: {path: _with(one, measured.get(path, {}).get(run.entry)) for path, one in scored[run.entry].items()}
        for run in runs
    }
    chosen = {path for order in orders_of("error", "area") for path in worst(order, rows, found)}
    chosen |= set(disagreed(rows, found))
    return Section(
        group=group,
        title=board.dataset(group.target).title,
        runs=runs,
        levels=levels,
        examples=[_example(path, rows[path], copy, found) for path in rows if path in chosen],
        total=len(rows),
        examined=len(measured),
        positive=copy.data.card.positive if copy.data else "> 0",
        notes=(*copy.notes, *_seed_notes(runs)),
    )


def _rows(runs: Sequence[Run]) -> dict[str, Row]:
    """Class, label and defect of every image that any run has, by path."""
    rows: dict[str, Row] = {}
    for run in runs:
        for row in run.images[["path", "class", "label", "defect"]].to_dict("records"):
            rows.setdefault(str(row["path"]), {str(key): value for key, value in row.items()})
    return rows


def _labelled(run: Run) -> list[tuple[str, int]]:
    return [(str(path), int(label)) for path, label in zip(run.images["path"], run.images["label"], strict=True)]


def _scored(run: Run) -> dict[str, Finding]:
    """What a run says of its images by their scores alone."""
    errors = errors_of(run.images)
    scores = zip(run.images["path"], run.images["score"], strict=True)
    return {str(path): Finding(float(score), errors[path], Measures()) for path, score in scores}


def _with(found: Finding, measures: Measures | None) -> Finding:
    return found if measures is None else Finding(found.score, found.error, measures)


class _Masks:
    """The masks of a copy at the size of a map."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy

    def __call__(self, path: str, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """The mask of an anomalous image; None where there is none, or none that can be read."""
        _, mask = self.copy.files(path)
        if mask is None or self.copy.data is None:
            return None
        try:
            found = read_mask(mask, self.copy.data.card.positive)
        except DataError:
            return None
        if found.shape != shape:
            found = resize_mask_nearest(found, shape[0])
        return found.astype(np.bool_) if found.shape == shape else None


def _measured(
    runs: Sequence[Run], path: str, label: int, masks: _Masks, levels: Mapping[str, Levels]
) -> dict[str, Measures]:
    """What the map of every run does on one image."""
    made: dict[str, Measures] = {}
    known: dict[tuple[int, ...], NDArray[np.bool_] | None] = {}
    for run in runs:
        scores = run.read_map(path)
        if scores is None:
            continue
        if label and scores.shape not in known:
            known[scores.shape] = masks(path, scores.shape)
        made[run.entry] = measure(scores, known.get(scores.shape), label, levels[run.entry])
    return made


def _example(path: str, row: Row, copy: Copy, found: Found) -> Example:
    image, mask = copy.files(path)
    own = {entry: by_path[path] for entry, by_path in found.items() if path in by_path}
    return Example(path, str(row["class"]), str(row["defect"]), int(row["label"]), image, mask, own)


def _seed_notes(runs: Sequence[Run]) -> list[str]:
    left = [run for run in runs if run.other_seeds]
    return [f"{run.entry}: seed {run.record.cell['seed']} is shown, not {_listed(run.other_seeds)}" for run in left]


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
