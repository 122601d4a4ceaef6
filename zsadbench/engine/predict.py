"""Scores and maps of one's own images, no labels needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.clip import Backbone
from zsadbench.data import prepare, read_image
from zsadbench.engine.maps import enlarge, smooth
from zsadbench.errors import DataError
from zsadbench.types import Method, Scores, Tokens

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.engine.cells import Setting


def predict(setting: Setting, backbone: Backbone, method: Method, images: Any, class_name: str) -> Scores:
    """Score each image on its own; maps are enlarged to the input size and smoothed as published."""
    found = [score_one(setting, backbone, method, one, class_name) for one in _several(images)]
    if not found:
        raise DataError("no image given; pass at least one")
    return Scores(torch.cat([one.image for one in found]), torch.cat([one.pixel for one in found]))


def score_one(setting: Setting, backbone: Backbone, method: Method, image: Any, class_name: str) -> Scores:
    """One path, PIL image or uint8 array: score (1,) and map (1, size, size), float32 on the host.

    Raises:
        DataError: it cannot be read.
    """
    taps = setting.method.card.taps(setting.method.options)
    pixels = prepare(_opened(image), setting.image_size, setting.protocol.preprocessing)
    with torch.inference_mode():
        tokens: Tokens = backbone.vision(torch.from_numpy(pixels).unsqueeze(0).to(backbone.device), taps)
        found = method.score(tokens, [class_name])
    size = (setting.image_size, setting.image_size)
    full = smooth(enlarge(found.pixel, size), setting.method.card.smoothing)
    return Scores(found.image.float().cpu(), torch.from_numpy(full))


def _several(images: Any) -> Iterable[Any]:
    """What was given as something to go through: one path, one picture or one array is one image."""
    from PIL.Image import Image

    single = isinstance(images, str | Path | Image) or (isinstance(images, np.ndarray) and images.ndim < 4)
    return [images] if single else images


def _opened(one: Any) -> Image:
    from PIL.Image import Image, fromarray

    if isinstance(one, Image):
        return one
    if isinstance(one, str | Path):
        return read_image(one)
    pixels = np.asarray(one)
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3}:
        raise DataError(f"an array of {pixels.dtype} {list(pixels.shape)} is no image; give uint8 (height, width, 3)")
    return fromarray(pixels)
