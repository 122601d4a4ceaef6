"""Few-shot runs: choose the normal training images that a method may see of each class before it scores the class.

The choice is random and depends on seed, class and the sorted paths of the images, on nothing else. With one seed, the
1 or 2 images of fewer shots are the first of the 4 of more shots. The cell names every image.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zsadbench.data import FileHashes, hash_files, load_dataset
from zsadbench.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.options import ConfiguredMethod
    from zsadbench.engine.plan.request import RunRequest


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Supports:
    """The support images of a few-shot run: `shots` normal training images per class, chosen with `seed`.

    `rows` maps each class to the manifest rows of its images, in the order chosen. `training` is the training part that
    they come from. `files` are the hashes of the images when they were chosen.
    """

    shots: int
    seed: int
    rows: Mapping[str, pd.DataFrame]
    training: Dataset
    files: FileHashes

    @property
    def partial(self) -> bool:
        """Whether the data set is incomplete or too large."""
        return self.training.partial

    @property
    def synthetic(self) -> bool:
        """Whether the data set is a synthetic miniature."""
        return self.training.synthetic

    def of_class(self, class_name: str) -> Dataset:
        """Return the images of one class as a data set, which a method learns from (`Recipe.on_supports`)."""
        return replace(self.training, manifest=self.rows[class_name])

    def as_json(self) -> list[dict[str, Any]]:
        """Return the entry of each image in the cell: class, path below the root of the set, size in bytes, hash."""
        return [
            {"class": name, "path": relative, "bytes": self.files.size(path), "blake3": self.files.digest(path)}
            for name, rows in self.rows.items()
            for relative, path in zip(rows["relative"], rows["path"], strict=True)
        ]


def check_shots(request: RunRequest, methods: Sequence[ConfiguredMethod]) -> None:
    """Check that all methods have a few-shot form if the request has shots, and that there are shots to learn from.

    Raises:
        UsageError: a method has none, or learns from shots or compares with them and there are none.
    """
    lacking = [method.card.name for method in methods if method.card.needs_shots(method.options)]
    if lacking and not all(request.shots or (0,)):
        raise UsageError(f"'{lacking[0]}' compares with normal images of every class; pass --shots, such as 1,2,4")
    whole = [method.card.name for method in methods if method.scores_whole_class]
    if whole and any(request.shots):
        raise UsageError(f"'{whole[0]}' compares the test images of a class with each other; it takes no --shots")
    learning = [method.card.name for method in methods if method.recipe is not None and method.recipe.on_supports]
    if learning and request.checkpoint is None and not all(request.shots or (0,)):
        raise UsageError(f"'{learning[0]}' learns from a few normal images of every class; pass --shots, such as 1,2,4")
    without = [method.card.name for method in methods if not method.card.few_shot]
    if any(request.shots) and without:
        raise UsageError(f"--shots: no few-shot form of {', '.join(without)} is known; run such methods without it")


def load_training_parts(request: RunRequest, targets: Sequence[str]) -> dict[str, Dataset]:
    """Load the training part of every target; empty if the request has no shots.

    Where a part is missing and the request allows leaks, the test part takes its place, and a warning says so; then the
    ledger of the record finds the support images among the test images.

    Raises:
        DataError: a part is missing or incomplete, or has no normal image.
    """
    if not any(request.shots):
        return {}
    parts, where = {}, request.data_roots or None
    for name in targets:
        try:
            part = load_dataset(name, where, request.allow_partial, ("train",), request.normal)
        except DataError as failure:
            if not request.allow_leak or _has_training(request, name):
                raise DataError(f"--shots draws from the normal training images of a target: {failure}") from failure
            part = load_dataset(name, where, request.allow_partial, ("test",), request.normal)
            log.warning("%s has no training images here, so --shots draws from its normal test images: a leak", name)
        if not (part.manifest["label"] == 0).any():
            raise DataError(f"{name} has no normal training images, so --shots has nothing to draw from")
        parts[name] = part
    return parts


def _has_training(request: RunRequest, name: str) -> bool:
    """Whether any training image of a target is here."""
    try:
        load_dataset(name, request.data_roots or None, True, ("train",), request.normal)
    except DataError:
        return False
    return True


def choose_all_supports(request: RunRequest, target: Dataset, training: Dataset | None) -> list[Supports | None]:
    """Choose supports for every number of shots and every support seed of a request; None stands for zero-shot.

    Args:
        request: with `shots` and `support_seeds`.
        target: the data set whose classes need supports.
        training: its training part; None if the request has no shots.

    Raises:
        DataError: a class has fewer normal training images than shots.
    """
    choices: list[Supports | None] = []
    for shots in dict.fromkeys(request.shots or (0,)):
        if shots == 0 or training is None:
            choices.append(None)
        else:
            seeds = dict.fromkeys(request.support_seeds or (0,))
            choices += [choose_supports(training, target.classes, shots, seed) for seed in seeds]
    return choices


def choose_supports(training: Dataset, classes: Sequence[str], shots: int, seed: int) -> Supports:
    """Choose `shots` different normal images of every class.

    Raises:
        DataError: a class has fewer, or an image is missing.
    """
    manifest = training.manifest[training.manifest["label"] == 0]
    rows = {}
    for name in classes:
        normal = manifest[manifest["class"] == name]
        if len(normal) < shots:
            raise DataError(
                f"{training.card.name}: {name} has {len(normal)} normal training images, --shots {shots} needs more"
            )
        order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(normal))
        rows[name] = normal.iloc[order[:shots]].reset_index(drop=True)
    files = hash_files((path for chosen in rows.values() for path in chosen["path"]), training.root)
    return Supports(shots, seed, rows, training, files)
