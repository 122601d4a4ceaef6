"""Runs that kept their maps, grouped by target, protocol and backbone, and the images and masks of a target."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.board import Board
from zsadbench.compare.measured import entry_names, target_names
from zsadbench.data import Dataset, load_dataset, roots_from_environment
from zsadbench.errors import ZsadError, in_one_line
from zsadbench.records import Record, map_path, read_images

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

OWN = ("folder:", "csv:")  # targets that are the user's own images
AnomalyMap = NDArray[np.float32]


class SectionKey(NamedTuple):
    """What the runs of a section have in common: target, protocol with its digest, and backbone."""

    target: str
    protocol: str
    digest: str
    backbone: str


@dataclass(frozen=True, eq=False)
class Run:
    """One record with maps.

    Attributes:
        entry: the name of its entry in tables.
        record: the record.
        images: one row per image, with the columns `path`, `class`, `label`, `defect` and `score`.
        maps: the folder of its maps.
        other_seeds: seeds of the same entry that are not shown.
    """

    entry: str
    record: Record
    images: pd.DataFrame
    maps: Path
    other_seeds: tuple[int, ...] = ()

    def read_map(self, relative: str) -> AnomalyMap | None:
        """The map of an image, float32 (height, width); None where there is no readable map of finite numbers."""
        if ".." in PurePosixPath(relative).parts or PurePosixPath(relative).is_absolute():
            return None
        try:
            anomaly_map = np.load(map_path(self.maps, relative), mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(anomaly_map, np.ndarray) or anomaly_map.ndim != 2 or anomaly_map.dtype.kind != "f":
            return None
        usable = anomaly_map.size > 0 and bool(np.isfinite(anomaly_map).all())
        return np.asarray(anomaly_map, np.float32) if usable else None


def runs_of(board: Board) -> dict[SectionKey, list[Run]]:
    """The runs that kept their maps, by section in the order of the data sets; of each entry the lowest seed."""
    cells = [record.cell for _, record in board.records]
    names = zip(entry_names(cells), target_names(cells), strict=True)
    runs_by_entry: dict[SectionKey, dict[str, list[Run]]] = {}
    for (name, target), (path, record) in zip(names, board.records, strict=True):
        maps = path.with_suffix(".maps")
        images = _images(path) if maps.is_dir() else None
        if images is not None:
            protocol = record.cell["protocol"]
            key = SectionKey(target, protocol["name"], protocol["digest"], record.cell["backbone"])
            runs_by_entry.setdefault(key, {}).setdefault(name, []).append(Run(name, record, images, maps))
    order = board.ordered([key.target for key in runs_by_entry])
    keys = sorted(runs_by_entry, key=lambda key: (order.index(key.target), *key[1:]))
    return {key: [_lowest_seed(runs) for runs in runs_by_entry[key].values()] for key in keys}


def _images(path: Path) -> pd.DataFrame | None:
    """The table of a record's images; None without a table that has all columns."""
    try:
        images = read_images(path)
    except (OSError, ValueError) as failure:
        log.warning("%s: its images cannot be read: %s", path, failure)
        return None
    needed = {"path", "class", "label", "defect", "score"}
    return images if images is not None and needed <= set(images.columns) else None


def _lowest_seed(runs: Sequence[Run]) -> Run:
    """The run with the lowest seed, with the seeds of the others."""
    first, *others = sorted(runs, key=lambda run: (run.record.cell["seed"], run.record.signature))
    return replace(first, other_seeds=tuple(run.record.cell["seed"] for run in others))


@dataclass(frozen=True, eq=False)
class LocalCopy:
    """The images and masks of a target on this machine.

    `data` is None where they were not found. `notes` are remarks such as that they differ from those evaluated.
    """

    data: Dataset | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows: Any = () if self.data is None else self.data.manifest.itertuples()
        files = {row.relative: (Path(row.path), Path(row.mask) if row.mask else None) for row in rows}
        object.__setattr__(self, "_files", files)

    def files(self, relative: str) -> tuple[Path | None, Path | None]:
        """The files of image and mask for a path relative to the data set; None for each that is missing."""
        files: tuple[Path | None, Path | None] = self.__dict__["_files"].get(relative, (None, None))
        return files


def find_copy(target: str, fingerprint: str, roots: Sequence[Path] | None) -> LocalCopy:
    """Find the data of `target` below `roots`, or below the roots of the environment where that is None.

    `fingerprint` is that of the data that were evaluated; a note says where the copy has another one. Without a copy,
    `data` is None and a note says so.
    """
    for name in _names_to_load(target, roots):
        try:
            data = load_dataset(name, roots, allow_partial=True)
        except ZsadError as failure:
            log.warning("no images of %s in the report: %s", target, in_one_line(failure))
            continue
        same = data.fingerprint == fingerprint
        note = "the copy of the data found here differs from the one that was evaluated: pictures and masks may differ"
        return LocalCopy(data, () if same else (note,))
    return LocalCopy(
        None, ("images and masks were not found (name their folder with --data-root): only maps are shown",)
    )


def _names_to_load(target: str, roots: Sequence[Path] | None) -> Iterator[str]:
    """The names under which `load_dataset` may find a target; a record has only the last part of a user's own path."""
    if not target.startswith(OWN):
        yield target
        return
    kind, _, name = target.partition(":")
    for root in roots or (*roots_from_environment(), Path()):
        for path in (root / name, root):
            if path.name == name and path.exists():
                yield f"{kind}:{path}"
