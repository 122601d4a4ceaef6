"""Strips of heat maps: an image, its mask, and the anomaly maps of some records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from demo_table.runs import TARGET
from zsadbench.data import load_dataset, read_image, read_mask
from zsadbench.pictures import overlay, write_png
from zsadbench.records import map_path

SIDE, GAP, HEAD = 168, 6, 22  # pixels: of a picture, between two, of the line of names
COUNT = 3


def strips(records: Mapping[str, Path]) -> dict[str, Image.Image]:
    """Make one strip per image: the image, its mask, and for each record the anomaly map over the image.

    The images are fixed by their places in the set: anomalous ones of three classes, of other kinds each. The colours
    of a record go from the smallest to the largest value of its maps of these images.

    Args:
        records: name → path of a record of the demo with saved maps.

    Returns:
        Path of the image in its set → strip.
    """
    manifest = load_dataset(TARGET).manifest
    chosen = _chosen(manifest["class"].unique().tolist())
    rows = []
    for class_name, part in chosen:
        anomalous = manifest[(manifest["class"] == class_name) & (manifest["label"] == 1)]
        rows.append(anomalous.iloc[int(part * len(anomalous))])
    maps = {
        name: [np.load(map_path(record.with_suffix(".maps"), row["relative"])) for row in rows]
        for name, record in records.items()
    }
    found = {}
    for number, row in enumerate(rows):
        image = read_image(row["path"]).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        truth = (
            Image.fromarray(read_mask(row["mask"]) * np.uint8(255))
            .convert("RGB")
            .resize((SIDE, SIDE), Image.Resampling.NEAREST)
        )
        heat = {name: _heat(image, of_record, number) for name, of_record in maps.items()}
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


def _chosen(classes: Sequence[str]) -> list[tuple[str, float]]:
    """Three classes and the place of an image among the anomalous ones of each, as a fraction."""
    return [(classes[len(classes) * number // COUNT], (number + 0.5) / COUNT) for number in range(COUNT)]


def _heat(image: Image.Image, maps: Sequence[NDArray[np.float32]], number: int) -> Image.Image:
    low, high = min(float(one.min()) for one in maps), max(float(one.max()) for one in maps)
    return overlay(image, maps[number], low, high)


def _row(pictures: Mapping[str, Image.Image]) -> Image.Image:
    """Pictures side by side, each below its name."""
    strip = Image.new("RGB", ((SIDE + GAP) * len(pictures) - GAP, HEAD + SIDE), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(14)
    for number, (name, picture) in enumerate(pictures.items()):
        left = (SIDE + GAP) * number
        draw.text((left + SIDE / 2, HEAD / 2), name, fill="black", font=font, anchor="mm")
        strip.paste(picture, (left, HEAD))
    return strip
