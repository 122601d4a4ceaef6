"""A folder of anomaly maps that any program saved: find the file of an image; image scores.

    MAPS/<path of the image relative to its data set>.npy      or with the suffix of the image replaced
    MAPS/scores.csv                                            optional, with columns path,score

The files are read by `zsadbench.saved_maps.map_file`. No file outside the folder is opened.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from zsadbench.data.copies.file_hashes import FileHashes
from zsadbench.errors import DataError
from zsadbench.records import canonical

FORMATS = (".npy", ".npz", ".tiff", ".tif", ".png")
SCORES = "scores.csv"


class MapFolder:
    """A folder of maps, with image scores in its `scores.csv` if there is one.

    Raises:
        DataError: `root` is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(f"'{root}' is no folder; give the folder with the maps")
        self.root = root
        self._resolved = root.resolve()
        self._names: dict[Path, frozenset[str]] = {}

    @cached_property
    def scores(self) -> dict[str, float] | None:
        """Image scores by relative path; None without `scores.csv`.

        Raises:
            DataError: as `read_scores`.
        """
        path = self.root / SCORES
        return read_scores(path) if path.is_file() else None

    def find(self, relative: str) -> Path | None:
        """Return the file of the map of an image; None where there is none.

        Raises:
            DataError: there are several files, or the file is a link to one outside the folder.
        """
        image = PurePosixPath(relative)
        folder = self.root / image.parent
        names = [f"{stem}{suffix}" for stem in dict.fromkeys((image.name, image.stem)) for suffix in FORMATS]
        paths = [folder / name for name in names if name in self._file_names(folder)]
        if not paths:
            return None
        if len(paths) > 1:
            raise DataError(f"'{paths[0]}' and '{paths[1].name}' are both maps of {relative}; leave one of them")
        if not paths[0].resolve().is_relative_to(self._resolved):
            raise DataError(f"'{paths[0]}' leads out of '{self.root}'; copy the map into the folder")
        return paths[0]

    def find_all(self, images: Iterable[str]) -> dict[str, Path]:
        """Return the files of the maps by relative path of the image, for the images that have one.

        Raises:
            DataError: as `find`, or one file belongs to two images.
        """
        files = {relative: path for relative in images if (path := self.find(relative)) is not None}
        image_of: dict[Path, str] = {}
        for relative, path in files.items():
            if image_of.setdefault(path, relative) != relative:
                raise DataError(f"'{path}' is the map of {image_of[path]} and of {relative}; keep the images' suffixes")
        return files

    def _file_names(self, folder: Path) -> frozenset[str]:
        """Return the names of the files in a folder; every folder is listed once."""
        if folder not in self._names:
            paths = folder.iterdir() if folder.is_dir() else iter(())
            self._names[folder] = frozenset(path.name for path in paths if path.is_file())
        return self._names[folder]


def content_digest(files: Mapping[str, Path], hashes: FileHashes, scores: Mapping[str, float] | None) -> str:
    """Compute the SHA-256 of maps and scores, over one line per image.

    A line is the relative path of the image, the hash of the bytes of its map, and its score; null where either is
    missing.

    Args:
        files: of the maps, by relative path of the image.
        hashes: of these files.
        scores: from `scores.csv`; None without it.
    """
    images = sorted({*files, *(scores or {})})
    digests = {relative: hashes.digest(str(path)) for relative, path in files.items()}
    lines = [canonical([relative, digests.get(relative), (scores or {}).get(relative)]) for relative in images]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_scores(path: Path) -> dict[str, float]:
    """Read a CSV table with the columns `path` and `score`: scores by path. Other columns are ignored.

    Raises:
        DataError: the table cannot be read, a row has no path or no finite score, or a path occurs twice.
    """
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise DataError(f"'{path}' cannot be read as a table: {failure}") from failure
    if not {"path", "score"} <= set(columns):
        raise DataError(f"'{path}' has no columns 'path' and 'score' in its first line")
    scores: dict[str, float] = {}
    for line, row in enumerate(rows, 2):
        if None in row:
            raise DataError(f"'{path}', row {line}, has more cells than columns; write 0.5, not 0,5, and quote commas")
        relative, score = row.get("path"), _finite(row.get("score"))
        if not relative or score is None:
            raise DataError(f"'{path}', row {line}, has no 'path' with a finite 'score'; the columns are path,score")
        if relative in scores:
            raise DataError(f"'{path}', row {line}: a second score of {relative}; leave one of them")
        scores[relative] = score
    return scores


def _finite(text: str | None) -> float | None:
    """Return a finite number; None where the text is not one."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
