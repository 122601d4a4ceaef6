"""A folder of anomaly maps that any program made: which file belongs to an image, and what is in it.

    MAPS/<image path relative to its set>.npy        or with the image's own suffix replaced
    MAPS/scores.csv                                  optional: path,score

A map is one `.npy`, `.npz` (of one array), `.tiff`, `.tif` or 16-bit grey `.png`. Files come from strangers: no
pickle is read, sizes are looked at before room is made, and no file outside the folder is opened.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from zsadbench.data.images.formats import open_image, values_16_bit
from zsadbench.errors import DataError
from zsadbench.files import file_sha256
from zsadbench.records import canonical

FORMATS = (".npy", ".npz", ".tiff", ".tif", ".png")
SCORES = "scores.csv"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
BROKEN = (OSError, ValueError, EOFError, LookupError, TypeError, RuntimeError, NotImplementedError, MemoryError)
BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, *BROKEN)

Map = NDArray[np.floating[Any]]


class MapFolder:
    """The maps below `root`, and the image scores in its `scores.csv` where there is one.

    Raises:
        DataError: `root` is no folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(f"'{root}' is no folder; give the folder with the maps")
        self.root = root
        self._home = root.resolve()
        self._listed: dict[Path, frozenset[str]] = {}

    @cached_property
    def scores(self) -> dict[str, float] | None:
        """Image scores by relative path; None where there is no `scores.csv`.

        Raises:
            DataError: a row is no path and number, or a path comes twice.
        """
        path = self.root / SCORES
        return read_scores(path) if path.is_file() else None

    def find(self, relative: str) -> Path | None:
        """The file of the map of an image; None where there is none.

        Raises:
            DataError: there are several, or it lies outside the folder.
        """
        image = PurePosixPath(relative)
        folder = self.root / image.parent
        names = [f"{stem}{suffix}" for stem in dict.fromkeys((image.name, image.stem)) for suffix in FORMATS]
        there = [folder / name for name in names if name in self._names(folder)]
        if len(there) > 1:
            raise DataError(f"'{there[0]}' and '{there[1].name}' are both maps of {relative}; leave one of them")
        if there and not there[0].resolve().is_relative_to(self._home):
            raise DataError(f"'{there[0]}' leads out of '{self.root}'; copy the map into the folder")
        return there[0] if there else None

    def find_all(self, images: Iterable[str]) -> dict[str, Path]:
        """The files of all images that have one, by relative path.

        Raises:
            DataError: as `find`; or one file belongs to two images.
        """
        found = {relative: path for relative in images if (path := self.find(relative)) is not None}
        owners: dict[Path, str] = {}
        for relative, path in found.items():
            if owners.setdefault(path, relative) != relative:
                raise DataError(f"'{path}' is the map of {owners[path]} and of {relative}; keep the images' suffixes")
        return found

    def _names(self, folder: Path) -> frozenset[str]:
        if folder not in self._listed:
            there = folder.iterdir() if folder.is_dir() else iter(())
            self._listed[folder] = frozenset(path.name for path in there if path.is_file())
        return self._listed[folder]


def digest_of(found: Mapping[str, Path], scores: Mapping[str, float] | None, workers: int) -> str:
    """SHA-256 over one line an image: its relative path, the SHA-256 of its map, and its score in `scores.csv`."""
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        sums = dict(zip(found, pool.map(file_sha256, found.values()), strict=True))
    images = sorted({*found, *(scores or {})})
    lines = [canonical([one, sums.get(one), (scores or {}).get(one)]) for one in images]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_scores(path: Path) -> dict[str, float]:
    """`path,score` of every row; columns beyond these are passed over.

    Raises:
        DataError: it is no such table, a score is no finite number, or a path comes twice.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise DataError(f"'{path}' cannot be read as a table: {failure}") from failure
    found: dict[str, float] = {}
    for line, row in enumerate(rows, 2):
        relative, score = row.get("path"), _number(row.get("score"))
        if not relative or score is None:
            raise DataError(f"'{path}', row {line}, has no 'path' with a finite 'score'; the columns are path,score")
        if relative in found:
            raise DataError(f"'{path}', row {line}: a second score of {relative}; leave one of them")
        found[relative] = score
    return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_map(path: Path) -> Map:
    """The map in a file, (height, width) float16, float32 or float64 as stored; 16-bit integers as float32.

    Raises:
        DataError: it is broken, implausibly large, of pickled objects, or not one grey picture of enough bits.
    """
    if path.suffix in {".npy", ".npz"}:
        try:
            return _from_npy(path) if path.suffix == ".npy" else _from_npz(path)
        except BROKEN_ARCHIVE as failure:
            reason = " ".join(str(failure).split()) or type(failure).__name__
            raise DataError(f"'{path}' cannot be read as a map: {reason}") from failure
    try:
        with open_image(path) as image:
            return _from_picture(image)
    except DataError as failure:
        raise DataError(f"{failure}; a map as a picture is grey, of 32-bit floats (TIFF) or 16 bits") from failure


def _from_npy(path: Path) -> Map:
    with path.open("rb") as stream:
        return _read_array(stream, path.stat().st_size)


def _from_npz(path: Path) -> Map:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if len(members) != 1:
            raise ValueError(f"it holds {len(members)} arrays; one map a file is expected")
        with archive.open(members[0]) as stream:
            return _read_array(stream, members[0].file_size)


def _read_array(stream: IO[bytes], size: int) -> Map:
    """The array of a stream of so many bytes, once its header has said what it will take."""
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    shape, _, dtype = HEADERS[version](stream)
    plain = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if len(plain) != 2 or not all(plain):
        raise ValueError(f"it has the shape {list(shape)}; a map has (height, width)")
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise ValueError(f"it holds {dtype}; a map holds float16, float32, float64 or integers")
    if math.prod(plain) > (Image.MAX_IMAGE_PIXELS or math.inf) or math.prod(plain) * dtype.itemsize > size:
        raise ValueError(f"its header promises {list(shape)}, which is implausible or not all there")
    stream.seek(0)
    values = npy.read_array(stream, allow_pickle=False).reshape(plain)
    if dtype.kind == "f":
        return np.ascontiguousarray(values, dtype.newbyteorder("="))
    return values.astype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _from_picture(image: Image.Image) -> Map:
    """The values of a grey picture of floats, or of integers of more than 8 bits, 0 to 65535."""
    if image.mode == "F":
        return np.asarray(image, np.float32)
    wide = values_16_bit(image)
    if wide is None:
        raise ValueError(
            f"it is of mode {image.mode}, not grey with 16 bits or floats; 256 levels are too few for a map"
        )
    return wide.astype(np.float32)
