"""Strips of heat maps: an image, its mask, and the anomaly maps of some records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from demo_table.runs import TARGET
from zsadbench.data import load_dataset, read_image, read_mask, resize_mask_nearest
from zsadbench.metrics import ClassMetrics, parse_metric
from zsadbench.pictures import overlay, write_png
from zsadbench.records import map_path

SIDE, GAP, HEAD = 168, 6, 22  # pixels: of a picture, between two, of the line of names
EVERY = 2  # second class is shown


def strips(records: Mapping[str, Path]) -> dict[str, Image.Image]:
    """Make one strip per image: the image, its mask, and for each record the anomaly map over the image.

    The images are typical ones: of every second class, the anomalous image whose pixel AUROC, averaged over the
    records, is the median of its class. The colours of a map go from its smallest to its largest value.

    Args:
        records: name → path of a record of the demo with saved maps.

    Returns:
        Path of the image in its set → strip.
    """
    manifest = load_dataset(TARGET).manifest
    rows = [_typical(manifest, name, list(records.values())) for name in manifest["class"].unique()[::EVERY]]
    found = {}
    for row in rows:
        image = read_image(row["path"]).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        truth = (
            Image.fromarray(read_mask(row["mask"]) * np.uint8(255))
            .convert("RGB")
            .resize((SIDE, SIDE), Image.Resampling.NEAREST)
        )
        heat = {name: _heat(image, _map(record, row)) for name, record in records.items()}
        found[str(row["relative"])] = _row({"image": image, "truth": truth, **heat})
    return found


def stacked(found: Sequence[Image.Image]) -> Image.Image:
    """Put strips of the same records below each other; the names stand above the first alone."""
    wide, high = found[0].size
    sheet = Image.new("RGB", (wide, high + (high - HEAD + GAP) * (len(found) - 1)), "white")
    for number, strip in enumerate(found):
        sheet.paste(
            strip.crop((0, HEAD * (number > 0), wide, high)), (0, (high - HEAD + GAP) * number + HEAD * (number > 0))
        )
    return sheet


def write_strips(record: Path, name: str, folder: Path) -> list[Path]:
    """Write the strips of one record as PNG files into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for relative, strip in strips({name: record}).items():
        class_name, _, kind, _ = Path(relative).parts
        paths.append(folder / f"{class_name}-{kind}.png")
        write_png(paths[-1], strip)
    return paths


def _typical(manifest: pd.DataFrame, class_name: str, records: Sequence[Path]) -> pd.Series:
    """The row of the anomalous image of a class with the median of the mean pixel AUROC over the records."""
    rows = manifest[(manifest["class"] == class_name) & (manifest["label"] == 1)]
    means = [fmean(_pixel_auroc(_map(record, row), row["mask"]) for record in records) for _, row in rows.iterrows()]
    return rows.iloc[int(np.argsort(means, kind="stable")[len(means) // 2])]


def _pixel_auroc(anomaly_map: NDArray[np.float32], mask: str) -> float:
    counted = ClassMetrics([parse_metric("pixel_auroc")])
    truth = resize_mask_nearest(read_mask(mask), anomaly_map.shape[0])
    counted.update(np.ones(1), np.ones(1, np.int64), anomaly_map[None], truth[None])
    return counted.compute()["pixel_auroc"].value or 0.0


def _map(record: Path, row: pd.Series) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.load(map_path(record.with_suffix(".maps"), str(row["relative"])))
    return found


def _heat(image: Image.Image, anomaly_map: NDArray[np.float32]) -> Image.Image:
    return overlay(image, anomaly_map, float(anomaly_map.min()), float(anomaly_map.max()))


def _row(pictures: Mapping[str, Image.Image]) -> Image.Image:
    """Pictures side by side, each below its name."""
    strip = Image.new("RGB", ((SIDE + GAP) * len(pictures) - GAP, HEAD + SIDE), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(14)
    for number, (name, picture) in enumerate(pictures.items()):
        left = (SIDE + GAP) * number
        draw.text((left + SIDE / 2, HEAD / 2), name, fill="black", font=font, anchor="mm")
        strip.paste(picture, (left, HEAD))
    return strip
