"""What the miniatures share: how one is described, and the writing of its files."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from zsadbench_datasets.pictures import Pixels

Counts = dict[str, dict[str, list[int]]]  # class → split → [normal, anomalous]


class Miniature(NamedTuple):
    """One set: its folder, what draws `number` images of each kind into it, and how many that makes."""

    folder: str
    draw: Callable[[Path, int], None]
    counts: Callable[[int], Counts]


def counts(classes: Iterable[str], **splits: tuple[int, int]) -> Callable[[int], Counts]:
    """The same for every class: `splits` says how often `number` normal and anomalous images are there.

    >>> counts(["wool"], train=(1, 0), test=(1, 1))(3)
    {'wool': {'train': [3, 0], 'test': [3, 3]}}
    """
    names = tuple(classes)
    return lambda number: {
        name: {split: [number * normal, number * odd] for split, (normal, odd) in splits.items()} for name in names
    }


def save(pixels: Pixels, path: Path, mode: str = "RGB") -> None:
    """Write (height, width, 3) or (height, width) pixels, in a mode that Pillow converts to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    image.save(path, quality=95)


def save_jpeg_mask(mask: Pixels, path: Path, mode: str = "RGB") -> None:
    """Write a mask of 0 and 1 as JPEG, compressed so that grey values stray around its edges."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * 255).convert(mode).save(path, format="JPEG", quality=60)


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows, the header among them."""
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
