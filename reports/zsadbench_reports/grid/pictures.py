"""The pictures of a grid: image and heat maps as JPEG, ground truth as PNG, which both browsers and LaTeX read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zsadbench.compare.failures.examples import Example
from zsadbench.compare.failures.pictures import encoded, heat, photograph
from zsadbench.compare.failures.sections import Section
from zsadbench.files import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER, QUALITY = "grid", 92


class Picture(NamedTuple):
    """One picture: its path below the report, with slashes, and its size in pixels."""

    path: str
    width: int
    height: int


class GridRow(NamedTuple):
    """One row: path, class and defect of the image, and its cells: image, truth, then one map per method."""

    path: str
    class_name: str
    defect: str
    cells: tuple[Picture | None, ...]


def write_rows(section: Section, slug: str, out: Path) -> dict[str, GridRow]:
    """Write the pictures of all rows that a rule or a hand chose; returns path of the image → row."""
    chosen = {path for paths in section.grid.values() for path in paths}
    return {example.path: _row(section, example, slug, out) for example in section.examples if example.path in chosen}


def _row(section: Section, example: Example, slug: str, out: Path) -> GridRow:
    name = f"{FOLDER}/{slug}/{hashlib.sha256(example.path.encode()).hexdigest()[:16]}"
    photo, mask = photograph(example, section.positive)
    maps = [heat(run, example, section.scales[run.entry], photo) for run in section.runs]
    cells: Sequence[Picture | None] = (
        _jpeg(photo, f"{name}-image.jpg", out),
        _truth(mask, f"{name}-truth.png", out),
        *(_jpeg(picture, f"{name}-{number}.jpg", out) for number, picture in enumerate(maps)),
    )
    return GridRow(example.path, example.info.class_name, example.info.defect, tuple(cells))


def _jpeg(picture: Image | None, name: str, out: Path) -> Picture | None:
    return None if picture is None else _save(picture, encoded(picture, "JPEG", quality=QUALITY), name, out)


def _truth(mask: Image | None, name: str, out: Path) -> Picture | None:
    """Save a mask as white on black."""
    if mask is None:
        return None
    from PIL import Image as Pictures

    black_and_white = Pictures.fromarray(np.asarray(mask) > 0)
    return _save(black_and_white, encoded(black_and_white, "PNG"), name, out)


def _save(picture: Image, content: bytes, name: str, out: Path) -> Picture:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return Picture(name, picture.width, picture.height)
