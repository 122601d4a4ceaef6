"""Read one anomaly map: `.npy`, `.npz` (of one array), `.tiff`, `.tif`, or 16-bit grey `.png`.

Files may be hostile: no pickle is read, and sizes are checked before memory is allocated. Floats keep their precision;
TIFF of floats that Pillow does not read right is read by tifffile (Christoph Gohlke, BSD-3-Clause).
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from zsadbench.data.images.formats import open_image, values_16_bit
from zsadbench.data.images.pixel_limit import max_pixels
from zsadbench.errors import DataError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
BROKEN = (OSError, ValueError, EOFError, LookupError, TypeError, RuntimeError, NotImplementedError, MemoryError)
BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError, *BROKEN)  # headers are Python
TIFF = (".tiff", ".tif")
WANTED = "a map as a picture is grey, of floats (TIFF) or of 16 bits"

SavedMap = NDArray[np.floating[Any]]  # (height, width), float16, float32 or float64


def read_map(path: Path) -> SavedMap:
    """Read a map, (height, width). Floats keep their type; integers of up to 16 bits become float32, others float64.

    Raises:
        DataError: the file is broken, implausibly large, of pickled objects, or not one grey image of floats or of
            16-bit integers.
    """
    if path.suffix in {".npy", ".npz"}:
        try:
            return _from_npy(path) if path.suffix == ".npy" else _from_npz(path)
        except BROKEN_ARCHIVE as failure:
            reason = " ".join(str(failure).split()) or type(failure).__name__
            raise DataError(f"'{path}' cannot be read as a map: {reason}") from failure
    if path.suffix.casefold() in TIFF and (values := _from_tiff(path)) is not None:
        return values
    try:
        with open_image(path) as image:
            return _from_picture(image)
    except DataError as failure:
        raise DataError(f"{failure}; {WANTED}") from failure


def _from_tiff(path: Path) -> SavedMap | None:
    """Read a TIFF of floats that Pillow does not read right; None for any other, which Pillow reads or refuses.

    Raises:
        DataError: it is damaged, implausibly large, or more than one map.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page, number = file.pages[0], len(file.pages)
            if not isinstance(page, tifffile.TiffPage) or not _needs_tifffile(page):
                return None
            if number > 1 or len(page.shape) != 2:
                raise ValueError(f"it holds {number} pages of the shape {list(page.shape)}; {WANTED}")
            _check_pixels(page.shape)
            values = np.asarray(page.asarray())
    except tifffile.TiffFileError:
        return None
    except Exception as failure:  # whatever a decoder raises is a fault of the file
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise DataError(f"'{path}' cannot be read as a map: {reason}") from failure
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def _needs_tifffile(page: Any) -> bool:
    """Whether Pillow cannot read the floats of a page, or, big-endian and compressed, gives them in the wrong order."""
    swapped = page.dtype == np.float32 and page.parent.byteorder == ">" and page.compression != 1
    return swapped or page.dtype in (np.float16, np.float64)


def _check_pixels(shape: tuple[int, ...]) -> None:
    """Raise `ValueError` if an array is too large for an image."""
    if math.prod(shape) > max_pixels():
        raise ValueError(f"its header promises {list(shape)}, more than {max_pixels():,} pixels (--max-pixels)")


def _from_npy(path: Path) -> SavedMap:
    with path.open("rb") as stream:
        return _read_array(stream, path.stat().st_size)


def _from_npz(path: Path) -> SavedMap:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if len(members) != 1:
            raise ValueError(f"it holds {len(members)} arrays; one map a file is expected")
        with archive.open(members[0]) as stream:
            return _read_array(stream, members[0].file_size)


def _read_array(stream: IO[bytes], size: int) -> SavedMap:
    """Read the array of a stream of `size` bytes; its header is checked before memory is allocated."""
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    shape, _, dtype = HEADERS[version](stream)
    map_shape = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if len(map_shape) != 2 or not all(map_shape):
        raise ValueError(f"it has the shape {list(shape)}; a map has (height, width)")
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise ValueError(f"it holds {dtype}; a map holds float16, float32, float64 or integers")
    _check_pixels(map_shape)
    if math.prod(map_shape) * dtype.itemsize > size:
        raise ValueError(f"its header promises {list(shape)}, which is not all there")
    stream.seek(0)
    values = npy.read_array(stream, allow_pickle=False).reshape(map_shape)
    if dtype.kind == "f":
        return np.ascontiguousarray(values, dtype.newbyteorder("="))
    return values.astype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _from_picture(image: Image.Image) -> SavedMap:
    """Return the values of a grey image of floats, or of integers of more than 8 bits, 0 to 65535."""
    if image.mode == "F":
        return np.asarray(image, np.float32)
    wide = values_16_bit(image)
    if wide is None:
        raise ValueError(
            f"it is of mode {image.mode}, not grey with 16 bits or floats; 256 levels are too few for a map"
        )
    return wide.astype(np.float32)
