"""What a notebook shows of a data set: its counts, and small pictures of anomalous images with their masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.data.images.masks import read_mask
from zsadbench.data.images.preprocess import read_image
from zsadbench.display import html
from zsadbench.display.strip import SIDE, Row, Strip, mask_picture, small
from zsadbench.errors import DataError

if TYPE_CHECKING:
    from zsadbench.data.cards.card import PositiveRule

COUNTS = ("class", "split", "normal", "anomalous", "masks", "defects")


def count_images(manifest: pd.DataFrame) -> pd.DataFrame:
    """Count the images of each class and split.

    Returns:
        A frame with the columns `class`, `split`, `normal`, `anomalous`, `masks`, `defects`: numbers of images, of
        those that have a mask, and of kinds of defects.
    """
    rows = []
    for (class_name, split), group in manifest.groupby(["class", "split"], sort=False):
        anomalous = group["label"] == 1
        kinds = group.loc[anomalous, "defect"].nunique()
        counts = int((~anomalous).sum()), int(anomalous.sum()), int((group["mask"] != "").sum()), int(kinds)
        rows.append((class_name, split, *counts))
    return pd.DataFrame(rows, columns=list(COUNTS))


def examples(manifest: pd.DataFrame, positive: PositiveRule, number: int = 6) -> Strip:
    """Draw the first anomalous image of as many classes as there are, and its mask; further ones of the first classes.

    Images that cannot be read are left out.
    """
    anomalous = manifest[manifest["label"] == 1]
    turn = anomalous.groupby("class", sort=False).cumcount()
    chosen = anomalous.loc[turn.sort_values(kind="stable").index[:number]]
    images, masks, captions = [], [], []
    rows: list[Any] = list(chosen.itertuples(index=False, name=None))
    for values in rows:
        row = dict(zip(chosen.columns, values, strict=True))
        try:
            image = small(read_image(row["path"], SIDE))
            mask = mask_picture(read_mask(row["mask"], positive, row["path"]), image) if row["mask"] else None
        except DataError:
            continue
        images.append(image)
        masks.append(mask)
        captions.append(f"{row['class']}\n{row['defect']}")
    shown = [Row("image", tuple(images)), Row("mask", tuple(masks))]
    return Strip(tuple(row for row in shown if any(row.pictures)), tuple(captions))


def overview_html(title: str, manifest: pd.DataFrame, positive: PositiveRule, notes: Sequence[str]) -> str:
    """Show the counts, the examples and notes of a data set."""
    counts = count_images(manifest)
    rows = [[str(value) for value in values] for values in counts.itertuples(index=False, name=None)]
    total = ["all", "", *(str(counts[name].sum()) for name in ("normal", "anomalous", "masks")), ""]
    table = html.table(list(COUNTS), [*rows, total] if len(rows) > 1 else rows, texts=2)
    return html.heading(title) + html.notes(notes) + table + examples(manifest, positive)._repr_html_()
