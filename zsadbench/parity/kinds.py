"""Fixtures that belong to no method: metric values and preprocessed images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsadbench.data import prepare_image, training_mask
from zsadbench.metrics import PixelMetrics, image_metrics

if TYPE_CHECKING:
    from zsadbench.parity.fixture import Array, Fixture

Pairs = dict[str, tuple["Array", "Array | None"]]

PIXEL = {
    "pixel_auroc": "auroc",
    "pixel_ap": "ap",
    "pixel_max_f1": "f1max",
    "aupro_exact": "aupro",
    "aupro_200_minmax": "aupro_200",
    "aupro_200_max": "aupro_200_max",
}
IMAGE = {"image_auroc": "auroc", "image_ap": "ap", "image_max_f1": "f1max"}
INFORMATION = frozenset({"regions_4", "threshold_count_200"})  # how the reference came about; no metric


def metrics_pairs(fixture: Fixture) -> Pairs:
    """Every metric of every class, and the means over classes."""
    inputs = {name: tensor.numpy() for name, tensor in fixture.tensors("inputs.safetensors").items()}
    found: dict[str, dict[str, float | None]] = {}
    for name in fixture.about["classes"]:
        found[name] = _values(*(inputs[f"{name}/{part}"] for part in ("maps", "masks", "image_scores", "labels")))
    keys = [*IMAGE, *PIXEL]
    found["mean"] = {key: _mean([found[name][key] for name in fixture.about["classes"]]) for key in keys}
    return {
        f"{name}/{key}": (np.asarray(value), _scalar(found[name].get(key)))
        for name, values in fixture.about["values"].items()
        for key, value in values.items()
        if key not in INFORMATION
    }


def _values(maps: Array, masks: Array, scores: Array, labels: Array) -> dict[str, float | None]:
    pixels = PixelMetrics()
    pixels.update(maps, masks)
    pixel, image = pixels.compute(), image_metrics(scores, labels)
    values = {key: pixel[name].value for key, name in PIXEL.items()} | {
        key: image[name].value for key, name in IMAGE.items()
    }
    return {**values, "regions_8": pixels.regions}


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _scalar(value: float | None) -> Array | None:
    return None if value is None else np.asarray(value)


def preprocess_pairs(fixture: Fixture) -> Pairs:
    """Every image in both orders of preprocessing, and every mask as the publications' loaders make it."""
    pairs: Pairs = {}
    size = fixture.about["image_size"]
    for order in ("resize_first", "rgb_first"):
        for name, tensor in fixture.tensors(f"expected_{order}.safetensors").items():
            stem, what = name.split("/")
            kind = "image" if what == "image" else "mask"
            path = fixture.path(f"{stem}.png" if kind == "image" else f"{stem}_mask.png")
            pairs[f"{order}/{name}"] = (tensor.numpy(), _prepared(path, size, order, what))
    return pairs


def _prepared(path: Path, size: int, order: str, what: str) -> Array | None:
    if what == "image":
        return prepare_image(path, size, "rgb_first" if order == "rgb_first" else "resize_first")
    if order == "resize_first" and what == "mask":
        return training_mask(path, size)[None]
    grey = _soft_mask(
        path, size, nonzero=order == "resize_first" or what.endswith("nonzero"), bicubic=order == "rgb_first"
    )
    return grey if what.startswith("mask_grey") else (grey > 0.5).astype(np.uint8)


def _soft_mask(path: Path, size: int, *, nonzero: bool, bicubic: bool) -> Array:
    """A mask resized in grey, (1, size, size) in 0..1, before any cut; `nonzero` first lifts all but 0 to 255."""
    from PIL import Image

    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"))
    values = np.where(grey > 0, 255, 0).astype(np.uint8) if nonzero else grey
    rule = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values).resize((size, size), rule), dtype=np.float32)[None] / 255
