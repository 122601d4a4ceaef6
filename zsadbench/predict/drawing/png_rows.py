"""Write a PNG from bands of rows, so that a large picture is never in memory as a whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zsadbench.files import replacing
from zsadbench.pictures import Colours

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVEL = 4  # of compression
SUB = 1  # the filter of all rows: each byte less the byte of the same colour to its left


def write_rows(path: Path, size: tuple[int, int], bands: Iterable[Colours]) -> None:
    """Write an RGB picture of (width, height) atomically from bands, uint8 (rows, width, 3), from top to bottom.

    Raises:
        ValueError: the bands do not have this size together.
    """
    width, height = size
    packer, rows = zlib.compressobj(LEVEL), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        for band in bands:
            if band.shape[1:] != (width, 3):
                raise ValueError(f"a band is {band.shape[1]} pixels wide, not {width}")
            rows += len(band)
            packed = packer.compress(_filtered(band))
            if packed:
                stream.write(_chunk(b"IDAT", packed))
        if rows != height:
            raise ValueError(f"the bands have {rows} rows, not {height}")
        stream.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _filtered(band: Colours) -> bytes:
    """Filter rows, each with the number of its filter before it."""
    rows = np.empty((len(band), 1 + band.shape[1] * 3), np.uint8)
    rows[:, 0] = SUB
    rows[:, 1:4] = band[:, 0]
    rows[:, 4:] = (band[:, 1:] - band[:, :-1]).reshape(len(band), -1)
    return rows.tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
