"""The sections of the failure browser: for every data set whose maps were kept, the images on which methods fail.

A section is one target under one protocol and backbone, with the runs that kept their maps. `selection` chooses its
images. Errors of scores are computed over all images; what needs maps is measured on `EXAMINED` images, evenly spaced,
and on the images that the orders by score show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.board import Board
from zsadbench.compare.failures.colour_scale import ColourScale, colour_scale_of, evenly
from zsadbench.compare.failures.examples import Example, ImageInfo, ImageResult, Results
from zsadbench.compare.failures.grid import BY_HAND, by_hand, grid_rows
from zsadbench.compare.failures.patterns import Measures, measure
from zsadbench.compare.failures.rank_errors import errors_of
from zsadbench.compare.failures.runs import LocalCopy, Run, SectionKey, find_copy, runs_of
from zsadbench.compare.failures.selection import BY_MAP, BY_SCORE, disagreements, first_images
from zsadbench.data import read_mask, resize_mask_nearest
from zsadbench.data.cards.card import PositiveRule
from zsadbench.errors import DataError

EXAMINED = 3000


@dataclass(frozen=True)
class Section:
    """One target under one protocol and backbone.

    Attributes:
        key: target, protocol and backbone.
        title: the title of the target.
        runs: the runs, in the order in which their methods are shown.
        scales: entry → colour scale.
        examples: the images that are shown.
        total: number of images of the target.
        examined: number of images whose maps were measured.
        positive: which values of a mask file are anomalous.
        notes: remarks such as that images were not found.
        grid: rule, or `grid.BY_HAND` → paths of the rows of the qualitative grid, which are among `examples`.
    """

    key: SectionKey
    title: str
    runs: Sequence[Run]
    scales: Mapping[str, ColourScale]
    examples: Sequence[Example]
    total: int
    examined: int
    positive: PositiveRule
    notes: Sequence[str]
    grid: Mapping[str, Sequence[str]]


@lru_cache(maxsize=1)  # the failure browser and the qualitative grid take the same board
def sections_of(board: Board) -> tuple[Section, ...]:
    """Every section of the records of `board`; none where no record has maps. Cached for the last board."""
    return tuple(
        _section(board, key, runs, find_copy(board.set_of(key.target), fingerprint_of(runs), board.data_roots))
        for key, runs in runs_of(board).items()
    )


def fingerprint_of(runs: Sequence[Run]) -> str:
    """The fingerprint of the data that the runs of a section have evaluated."""
    return str(runs[0].record.cell["target"]["fingerprint"])


def _section(board: Board, key: SectionKey, runs: Sequence[Run], copy: LocalCopy) -> Section:
    infos, masks = _infos(runs), _Masks(copy)
    scales = {run.entry: colour_scale_of(run, _paths_and_labels(run), masks) for run in runs}
    by_score = {run.entry: _score_results(run) for run in runs}
    to_measure = {path for path, _ in evenly([(path, info.label) for path, info in infos.items()], EXAMINED)}
    to_measure |= {path for order in BY_SCORE for path in first_images(order, infos, by_score)}
    measures = {path: _measure_maps(runs, path, infos[path].label, masks, scales) for path in sorted(to_measure)}
    results = {
        run.entry: {
            path: replace(result, measures=measures.get(path, {}).get(run.entry, result.measures))
            for path, result in by_score[run.entry].items()
        }
        for run in runs
    }
    shown = {path for order in (*BY_SCORE, *BY_MAP) for path in first_images(order, infos, results)}
    grid = {BY_HAND: by_hand(board.pictures, key.target, infos)} | grid_rows(infos, results)
    shown |= set(disagreements(infos, results)) | {path for paths in grid.values() for path in paths}
    seeds = [
        f"{run.entry}: seed {run.record.cell['seed']} is shown, not {', '.join(map(str, run.other_seeds))}"
        for run in runs
        if run.other_seeds
    ]
    return Section(
        key=key,
        title=board.dataset(key.target).title,
        runs=runs,
        scales=scales,
        examples=[_example(path, infos[path], copy, results) for path in infos if path in shown],
        total=len(infos),
        examined=len(measures),
        positive=copy.data.card.positive if copy.data else "> 0",
        notes=(*copy.notes, *seeds),
        grid=grid,
    )


def _infos(runs: Sequence[Run]) -> dict[str, ImageInfo]:
    """Path → class, defect and label, for every image of any run."""
    infos: dict[str, ImageInfo] = {}
    for run in runs:
        columns = (run.images[name] for name in ("path", "class", "defect", "label"))
        for path, class_name, defect, label in zip(*columns, strict=True):
            infos.setdefault(str(path), ImageInfo(str(class_name), str(defect), int(label)))
    return infos


def _paths_and_labels(run: Run) -> list[tuple[str, int]]:
    return [(str(path), int(label)) for path, label in zip(run.images["path"], run.images["label"], strict=True)]


def _score_results(run: Run) -> dict[str, ImageResult]:
    """Path → result of a run from its scores alone, without measures of maps."""
    errors, peaks = errors_of(run.images), _peaks(run)
    scores = zip(run.images["path"], run.images["score"], strict=True)
    return {
        str(path): ImageResult(float(score), errors[path], Measures(), peaks.get(str(path))) for path, score in scores
    }


def _peaks(run: Run) -> dict[str, float]:
    """Path → maximum of the map, for `EXAMINED` images that share their score with one of their class and label."""
    tied = run.images[run.images.duplicated(["class", "label", "score"], keep=False)]
    maps = {str(path): run.read_map(str(path)) for path in evenly(list(tied["path"]), EXAMINED)}
    return {path: float(anomaly_map.max()) for path, anomaly_map in maps.items() if anomaly_map is not None}


class _Masks:
    """The masks of a copy of the data at the size of a map."""

    def __init__(self, copy: LocalCopy) -> None:
        self.copy = copy

    def __call__(self, path: str, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """The mask of an anomalous image, bool of `shape`; None where there is none that can be read."""
        image, file = self.copy.files(path)
        if file is None or self.copy.data is None:
            return None
        try:
            mask = read_mask(file, self.copy.data.card.positive, image)
        except DataError:
            return None
        if mask.shape != shape:
            mask = resize_mask_nearest(mask, shape[0])
        return mask.astype(np.bool_) if mask.shape == shape else None


def _measure_maps(
    runs: Sequence[Run], path: str, label: int, masks: _Masks, scales: Mapping[str, ColourScale]
) -> dict[str, Measures]:
    """Entry → measures of the map of every run on one image."""
    measures: dict[str, Measures] = {}
    mask_of_shape: dict[tuple[int, ...], NDArray[np.bool_] | None] = {}
    for run in runs:
        anomaly_map = run.read_map(path)
        if anomaly_map is None:
            continue
        if label and anomaly_map.shape not in mask_of_shape:
            mask_of_shape[anomaly_map.shape] = masks(path, anomaly_map.shape)
        measures[run.entry] = measure(anomaly_map, mask_of_shape.get(anomaly_map.shape), label, scales[run.entry])
    return measures


def _example(path: str, info: ImageInfo, copy: LocalCopy, results: Results) -> Example:
    image, mask = copy.files(path)
    return Example(
        path, info, image, mask, {entry: by_path[path] for entry, by_path in results.items() if path in by_path}
    )
