"""The manifest of a copy: a pandas frame with one row per sample, in an order independent of the file system."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from zsadbench.data.cards.card import Card
from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError

COLUMNS = ("path", "mask", "label", "class", "defect", "split", "relative", "view", "sample")


def make_manifest(card: Card, root: Path, samples: Iterable[Sample]) -> pd.DataFrame:
    """Make the manifest, sorted by the card's order of classes and then by relative path.

    Returns:
        A frame with the columns `path` and `mask`, absolute (`mask` empty if there is none); `label`, int64, 0 normal
        and 1 anomalous; `class`, the folder name; `defect`, the kind of defect (`good` for normal images, `anomaly` if
        the data set names none); `split`, in lower case; `relative`, the POSIX path below the root; `view` and
        `sample`, the side and the photographed object (empty if there is one image per object).

    Raises:
        DataError: a file name is not valid UTF-8.
    """
    class_order = {name: index for index, name in enumerate(card.classes)}
    ordered = sorted(samples, key=lambda sample: (class_order[sample.class_name], sample.image))
    frame = pd.DataFrame([_row(root, sample) for sample in ordered], columns=list(COLUMNS))
    return frame.astype({"label": "int64"})


def _row(root: Path, sample: Sample) -> tuple[str | int, ...]:
    """The values of `COLUMNS` for one sample."""
    path, mask = str(root / sample.image), str(root / sample.mask) if sample.mask else ""
    try:
        f"{path}{mask}{sample.defect}".encode()
    except UnicodeEncodeError as failure:
        raise DataError(f"{path!r}: the file name is not UTF-8; rename it") from failure
    texts = (sample.class_name, sample.defect, sample.split, sample.image, sample.view, sample.sample)
    return path, mask, sample.label, *texts


def limited(manifest: pd.DataFrame, class_name: str, limit: int | None) -> pd.DataFrame:
    """Select the rows of one class; with a limit, its first `limit` normal and first `limit` anomalous images."""
    rows = manifest[manifest["class"] == class_name]
    if limit is not None:
        rows = rows[rows.groupby("label").cumcount() < limit]
    return rows.reset_index(drop=True)
