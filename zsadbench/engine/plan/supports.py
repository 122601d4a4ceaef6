"""Few shots: which normal training images a detector sees before it scores a class.

The choice depends on the seed, the class and the images that are there, in sorted order, and on nothing else; the
first of 4 shots are the 2 of the same seed, and the first of those the 1. The cell names every image.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsadbench.data import load_dataset
from zsadbench.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.options import Configured
    from zsadbench.engine.plan.request import RunRequest

SPLIT = ("train",)


@dataclass(frozen=True)
class Supports:
    """`shots` normal training images of every class, drawn with `seed`: rows of the manifest, in the order drawn."""

    shots: int
    seed: int
    rows: Mapping[str, pd.DataFrame]
    partial: bool
    synthetic: bool

    def named(self) -> list[dict[str, Any]]:
        """Every image as the cell states it: class, path below the root, size in bytes."""
        return [
            {"class": name, "path": relative, "bytes": _bytes(path)}
            for name, rows in self.rows.items()
            for relative, path in zip(rows["relative"], rows["path"], strict=True)
        ]


def check_shots(request: RunRequest, configured: Sequence[Configured]) -> None:
    """Raise `UsageError` where a method that has no few-shot form is asked for shots."""
    without = [method.card.name for method in configured if not method.card.few_shot]
    if any(request.shots) and without:
        raise UsageError(f"--shots: no few-shot form of {', '.join(without)} is known; run such methods without it")


def load_normal(request: RunRequest, targets: Sequence[str]) -> dict[str, Dataset]:
    """The training part of every target, where shots are asked for.

    Raises:
        DataError: it is missing or incomplete, or holds no normal image to draw.
    """
    if not any(request.shots):
        return {}
    found = {}
    for name in targets:
        try:
            found[name] = load_dataset(name, request.data_roots or None, request.allow_partial, SPLIT)
        except DataError as failure:
            raise DataError(f"--shots draws from the normal training images of a target: {failure}") from failure
        if not (found[name].manifest["label"] == 0).any():
            raise DataError(f"{name} has no normal training images, so --shots has nothing to draw from")
    return found


def draws(request: RunRequest, target: Dataset, normal: Dataset | None) -> list[Supports | None]:
    """Every choice of supports that a request wants on a target; None stands for zero-shot.

    Raises:
        DataError: a class has fewer normal training images than shots are asked for.
    """
    chosen: list[Supports | None] = []
    for shots in dict.fromkeys(request.shots or (0,)):
        if shots == 0 or normal is None:
            chosen.append(None)
        else:
            chosen += [
                draw(normal, target.classes, shots, seed) for seed in dict.fromkeys(request.support_seeds or (0,))
            ]
    return chosen


def draw(normal: Dataset, classes: Sequence[str], shots: int, seed: int) -> Supports:
    """Draw `shots` images of every class without repetition.

    Raises:
        DataError: a class has fewer.
    """
    manifest = normal.manifest[normal.manifest["label"] == 0]
    rows = {}
    for name in classes:
        there = manifest[manifest["class"] == name]
        if len(there) < shots:
            raise DataError(
                f"{normal.card.name}: {name} has {len(there)} normal training images, --shots {shots} needs more"
            )
        order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(there))
        rows[name] = there.iloc[order[:shots]].reset_index(drop=True)
    return Supports(shots, seed, rows, normal.partial, normal.synthetic)


def _bytes(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as failure:
        raise DataError(f"'{path}' cannot be read: {failure.strerror}") from failure
