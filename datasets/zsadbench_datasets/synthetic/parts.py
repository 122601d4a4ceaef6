"""Describe a miniature, and write its files."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from zsadbench_datasets.synthetic.images import Pixels

Counts = dict[str, dict[str, list[int]]]  # class → split → [normal, anomalous]


class Miniature(NamedTuple):
    """The miniature of one benchmark.

    Attributes:
        folder: the name of its folder.
        write: writes `number` images per class, split and label into a folder: `write(root, number)`.
        counts: the numbers of images that this gives: `counts(number)`.
    """

    folder: str
    write: Callable[[Path, int], None]
    counts: Callable[[int], Counts]


def counts(classes: Iterable[str], **splits: tuple[int, int]) -> Callable[[int], Counts]:
    """Make `Miniature.counts` for classes with equal numbers: `splits` gives (normal, anomalous) in units of `number`.

    >>> counts(["wool"], train=(1, 0), test=(1, 1))(3)
    {'wool': {'train': [3, 0], 'test': [3, 3]}}
    """
    names = tuple(classes)
    return lambda number: {
        name: {split: [number * normal, number * anomalous] for split, (normal, anomalous) in splits.items()}
        for name in names
    }


def save(pixels: Pixels, path: Path, mode: str = "RGB") -> None:
    """Write pixels, (height, width, 3) or (height, width), as an image of a Pillow mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    image.save(path, quality=95)


def save_jpeg_mask(mask: Pixels, path: Path, mode: str = "RGB") -> None:
    """Write a mask of 0 and 1 as JPEG; the compression leaves grey values around its edges."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * 255).convert(mode).save(path, format="JPEG", quality=60)


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows, including the header, as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, content: object) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(content))
