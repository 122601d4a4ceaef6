"""Fixtures without a method: metric values and preprocessed images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsadbench.data import prepare_image, training_mask
from zsadbench.data.images.formats import FORMATS
from zsadbench.metrics import PixelMetrics, image_metrics

if TYPE_CHECKING:
    from zsadbench.parity.fixture import Array, Fixture, Pairs

PIXEL = {
    "pixel_auroc": "auroc",
    "pixel_ap": "ap",
    "pixel_max_f1": "f1max",
    "aupro_exact": "aupro",
    "aupro_200_minmax": "aupro_200",
    "aupro_200_max": "aupro_200_max",
}
IMAGE = {"image_auroc": "auroc", "image_ap": "ap", "image_max_f1": "f1max"}
INFORMATION = frozenset({"regions_4", "threshold_count_200"})  # how the reference was computed; not metrics


def metrics_pairs(fixture: Fixture) -> Pairs:
    """Compute every metric per class, and the means over classes; names are `CLASS/METRIC` and `mean/METRIC`."""
    inputs = {name: tensor.numpy() for name, tensor in fixture.tensors("inputs.safetensors").items()}
    classes = fixture.about["classes"]
    computed: dict[str, dict[str, float | None]] = {}
    for name in classes:
        computed[name] = _metrics(*(inputs[f"{name}/{key}"] for key in ("maps", "masks", "image_scores", "labels")))
    computed["mean"] = {key: _mean([computed[name][key] for name in classes]) for key in [*IMAGE, *PIXEL]}
    pairs: Pairs = {}
    for name, values in fixture.about["values"].items():
        for key, expected in values.items():
            if key not in INFORMATION:
                value = computed[name].get(key)
                pairs[f"{name}/{key}"] = (np.asarray(expected), None if value is None else np.asarray(value))
    return pairs


def _metrics(maps: Array, masks: Array, scores: Array, labels: Array) -> dict[str, float | None]:
    """Compute the metrics of one class, by their names in the fixture."""
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    pixel, image = accumulator.compute(), image_metrics(scores, labels)
    return {
        **{key: pixel[name].value for key, name in PIXEL.items()},
        **{key: image[name].value for key, name in IMAGE.items()},
        "regions_8": accumulator.regions,
    }


def _mean(values: list[float | None]) -> float | None:
    """Compute the mean of the defined values; None where there are none."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def preprocess_pairs(fixture: Fixture) -> Pairs:
    """Prepare every image and every mask in both orders of preprocessing; names are `ORDER/IMAGE/WHAT`."""
    pairs: Pairs = {}
    size = fixture.about["image_size"]
    for order in ("resize_first", "rgb_first"):
        for name, tensor in fixture.tensors(f"expected_{order}.safetensors").items():
            stem, what = name.split("/")
            path = fixture.path(f"{stem}.png" if what == "image" else f"{stem}_mask.png")
            pairs[f"{order}/{name}"] = (tensor.numpy(), _prepare(path, size, order, what))
    return pairs


def _prepare(path: Path, size: int, order: str, what: str) -> Array:
    """Prepare an image (3, size, size), or a mask (1, size, size), as the loaders of the publications do it."""
    if what == "image":
        return prepare_image(path, size, "rgb_first" if order == "rgb_first" else "resize_first")
    if order == "resize_first" and what == "mask":
        return training_mask(path, size)[None]
    nonzero = order == "resize_first" or what.endswith("nonzero")
    grey = _grey_mask(path, size, nonzero=nonzero, bicubic=order == "rgb_first")
    return grey if what.startswith("mask_grey") else (grey > 0.5).astype(np.uint8)


def _grey_mask(path: Path, size: int, *, nonzero: bool, bicubic: bool) -> Array:
    """Resize a mask in grey, (1, size, size) in 0 to 1; with `nonzero`, all values but 0 are set to 255 before."""
    from PIL import Image

    with Image.open(path, formats=FORMATS) as image:
        grey = np.asarray(image.convert("L"))
    values = np.where(grey > 0, 255, 0).astype(np.uint8) if nonzero else grey
    filter_ = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values).resize((size, size), filter_), dtype=np.float32)[None] / 255
