"""Preprocessing, encoder walk, masks, maps and metrics may not give other numbers under the same version."""

import numpy as np
import torch
from PIL import Image

from zsadbench.data import prepare, resize_mask_nearest, soften_mask
from zsadbench.data.images.masks import read_mask
from zsadbench.engine.evaluate.maps import start_map
from zsadbench.engine.plan.cell import PIPELINE
from zsadbench.metrics import ClassMetrics, parse_metric
from zsadbench.metrics.names import DEFAULT_NAMES
from zsadbench.types import Taps

TAPS = Taps((1, 12, 24), value_blocks=(12, 24), colours=True)


def picture():
    rows, columns = np.mgrid[0:40, 0:60]
    colours = np.stack([rows * 6 % 256, columns * 4 % 256, (rows + columns) * 9 % 256], axis=2)
    return Image.fromarray(colours.astype(np.uint8))


def preprocessing(folder):
    grey = Image.fromarray((np.mgrid[0:30, 0:20][0] * 8).astype(np.uint8))
    grey.save(folder / "mask.png")
    mask = read_mask(folder / "mask.png", ">= 128")
    return {
        **{order: prepare(picture().quantize(8), 28, order)[:, ::9, ::9] for order in ("rgb_first", "resize_first")},
        "mask": mask.mean(),
        "mask_nearest": resize_mask_nearest(mask, 9),
        "mask_bilinear": soften_mask(mask, 9),
        "mask_bicubic": soften_mask(mask, 9, bicubic=True),
    }


def encoding(backbone, images):
    with torch.inference_mode():
        tokens = backbone.vision(images, TAPS)
        text = backbone.text.sentence_features(["a photo of a bottle", "a damaged bottle"])
    layers = (*tokens.layers, *tokens.value_layers)
    walk = {f"layer_{number}": layer[:, ::9, ::21] for number, layer in enumerate(layers)}
    return {**walk, "colours": tokens.colours[:, ::7], "text": text.float().flatten(1)[:, ::97]}


def maps():
    grid = torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(0))
    return {f"map_{sigma}": start_map(grid, (35, 49), sigma)()[::6, ::6] for sigma in (0.0, 4.0)}


def metrics():
    random = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1, 1, 1])
    masks = [np.zeros((12, 12), np.uint8) for _ in labels]
    for number, mask in enumerate(masks[2:]):
        mask[2 : 4 + number, 3:6] = 1
        mask[10:, 9:] = number % 2
    scores = [(random.random((12, 12)) + 0.3 * mask).astype(np.float32).round(2) for mask in masks]
    image = np.array([one.max() for one in scores]) + 0.2 * labels
    counted = ClassMetrics([*DEFAULT_NAMES, parse_metric("pixel_aupro@0.05")], masks=True)
    counted.update(image, labels, scores, masks)
    estimates = counted.compute()
    return {name: estimate.value for name, estimate in estimates.items()}


def test_a_change_of_results_needs_a_new_version(tiny_backbone, tiny_images, tmp_path, check_pinned):
    values = preprocessing(tmp_path) | encoding(tiny_backbone, tiny_images) | maps() | metrics()
    check_pinned("pipeline", PIPELINE, values)
