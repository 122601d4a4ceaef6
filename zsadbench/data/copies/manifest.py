"""Samples → a pandas frame, one row a sample, in an order that no file system decides."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from zsadbench.data.cards.card import Card
from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("path", "mask", "label", "class", "defect", "split", "relative", "view", "sample")


def manifest(card: Card, root: Path, samples: Iterable[Sample]) -> pd.DataFrame:
    """The manifest: rows in the card's order of classes, then by path relative to the root.

    `path` and `mask` are absolute (`mask` empty where there is none), `label` is int64, 0 normal and 1
    anomalous, `class` the folder name, `defect` the kind of defect (`good` for normal images, `anomaly`
    where the set names none), `split` in lower case, `relative` the posix path below the root. Where objects
    were taken from several sides, `sample` is the object and `view` the side; else both are empty.

    Raises:
        DataError: a file name is not text.
    """
    order = {name: place for place, name in enumerate(card.classes)}
    rows = sorted(samples, key=lambda sample: (order[sample.class_name], sample.image))
    frame = pd.DataFrame([_row(root, sample) for sample in rows], columns=list(COLUMNS))
    return frame.astype({"label": "int64"})


def _row(root: Path, sample: Sample) -> tuple[str | int, ...]:
    path, mask = str(root / sample.image), str(root / sample.mask) if sample.mask else ""
    try:
        f"{path}{mask}{sample.defect}".encode()
    except UnicodeEncodeError as failure:
        raise DataError(f"{path!r}: the file name is not UTF-8; rename it") from failure
    named = sample.class_name, sample.defect, sample.split, sample.image, sample.view, sample.sample
    return path, mask, sample.label, *named


def limited(manifest: pd.DataFrame, class_name: str, limit: int | None) -> pd.DataFrame:
    """Rows of one class; with a limit, its first N normal and first N anomalous images in sorted order."""
    rows = manifest[manifest["class"] == class_name]
    if limit is not None:
        rows = rows[rows.groupby("label").cumcount() < limit]
    return rows.reset_index(drop=True)
