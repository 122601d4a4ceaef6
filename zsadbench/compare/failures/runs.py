"""Records whose maps were kept, by what lets them stand side by side; and the copy of the data they were made from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.board import Board
from zsadbench.compare.measured import entry_names
from zsadbench.data import Dataset, load_dataset, roots_from_environment
from zsadbench.errors import ZsadError
from zsadbench.records import Record, map_path, read_images

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

OWN = ("folder:", "csv:")
Map = NDArray[np.float32]


class Group(NamedTuple):
    """What runs share whose maps are set side by side: target, protocol and backbone."""

    target: str
    protocol: str
    digest: str
    backbone: str


@dataclass(frozen=True, eq=False)
class Run:
    """One record with maps: the name of its entry, its rows of images, and the folder of its maps."""

    entry: str
    record: Record
    images: pd.DataFrame
    maps: Path
    other_seeds: tuple[int, ...] = ()

    def read_map(self, relative: str) -> Map | None:
        """The map of an image, float32 (height, width); None where there is none that can be read."""
        if ".." in PurePosixPath(relative).parts or PurePosixPath(relative).is_absolute():
            return None
        try:
            found = np.load(map_path(self.maps, relative), mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        good = isinstance(found, np.ndarray) and found.ndim == 2 and found.size > 0 and found.dtype.kind == "f"
        return np.asarray(found, np.float32) if good and bool(np.isfinite(found).all()) else None


def runs_of(board: Board) -> dict[Group, list[Run]]:
    """The runs that kept their maps, in the order of the data sets; of several seeds of an entry the lowest."""
    names = entry_names([record.cell for _, record in board.records])
    found: dict[Group, dict[str, list[Run]]] = {}
    for name, (path, record) in zip(names, board.records, strict=True):
        maps = path.with_suffix(".maps")
        images = _images(path) if maps.is_dir() else None
        if images is not None:
            run = Run(name, record, images, maps)
            found.setdefault(_group(record), {}).setdefault(name, []).append(run)
    order = board.ordered([group.target for group in found])
    groups = sorted(found, key=lambda group: (order.index(group.target), *group[1:]))
    return {group: [_lowest_seed(runs) for runs in found[group].values()] for group in groups}


def _images(path: Path) -> pd.DataFrame | None:
    """The rows of a record's images, if it has what is needed of them."""
    try:
        images = read_images(path)
    except (OSError, ValueError) as failure:
        log.warning("%s: its images cannot be read: %s", path, failure)
        return None
    wanted = {"path", "class", "label", "defect", "score"}
    return images if images is not None and wanted <= set(images.columns) else None


def _group(record: Record) -> Group:
    cell = record.cell
    return Group(cell["target"]["name"], cell["protocol"]["name"], cell["protocol"]["digest"], cell["backbone"])


def _lowest_seed(runs: Sequence[Run]) -> Run:
    first, *others = sorted(runs, key=lambda run: (run.record.cell["seed"], run.record.signature))
    seeds = tuple(run.record.cell["seed"] for run in others)
    return Run(first.entry, first.record, first.images, first.maps, seeds)


@dataclass(frozen=True, eq=False)
class Copy:
    """The images and masks of a target, as far as they are at hand; `notes` say what is not as it was."""

    data: Dataset | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows: Any = () if self.data is None else self.data.manifest.itertuples()
        files = {row.relative: (Path(row.path), Path(row.mask) if row.mask else None) for row in rows}
        object.__setattr__(self, "_files", files)

    def files(self, relative: str) -> tuple[Path | None, Path | None]:
        """Image and mask of a path relative to the set; None where there is none."""
        found: tuple[Path | None, Path | None] = self.__dict__["_files"].get(relative, (None, None))
        return found


def copy_of(target: str, fingerprint: str, roots: Sequence[Path] | None) -> Copy:
    """The copy of `target` below `roots`, else where the environment says; without one, an empty copy that says so."""
    for name in _places(target, roots):
        try:
            data = load_dataset(name, roots, allow_partial=True)
        except ZsadError as failure:
            log.warning("no images of %s in the report: %s", target, failure)
            continue
        same = data.fingerprint == fingerprint
        note = "the copy of the data at hand differs from the one that was evaluated: pictures and masks may differ"
        return Copy(data, () if same else (note,))
    return Copy(None, ("images and masks are not at hand (say where with --data-root), so there are maps alone",))


def _places(target: str, roots: Sequence[Path] | None) -> Iterator[str]:
    """What `load_dataset` may know a target by; one's own set is known by the last part of its path alone."""
    if not target.startswith(OWN):
        yield target
        return
    kind, _, name = target.partition(":")
    for root in roots or (*roots_from_environment(), Path()):
        for place in (root / name, root):
            if place.name == name and place.exists():
                yield f"{kind}:{place}"
