"""Recompute the fixture of a method that gives tokens in place of images; no backbone is involved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.data.images.turn import turned_pixels
from zsadbench.engine.evaluate.maps import start_map
from zsadbench.types import Scores

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.engine.plan.options import ConfiguredMethod
    from zsadbench.parity.fixture import Array, Fixture

Recompute = Callable[[Mapping[str, "Tensor"], Mapping[str, Any], Any], Mapping[str, "Tensor | Scores"]]
TURNED, TO_TURN = "rotated", "rotation_image"


def tensors_on_tokens(fixture: Fixture, method: ConfiguredMethod, recompute: Recompute) -> dict[str, Array]:
    """Compute every tensor that a fixture with given tokens can hold, by name.

    `Scores` under the name `NAME` give `NAMEgrid`, `NAMEscore` and `NAMEmap`: the map at the size of the fixture's
    images, smoothed by its Gaussian. `rotated` are the copies that the method makes of the image `rotation_image`.
    """
    inputs, about = fixture.tensors("inputs.safetensors"), fixture.about
    with torch.no_grad():
        named = recompute(inputs, about, method.options)
    produced: dict[str, Array] = {}
    for name, value in named.items():
        if isinstance(value, Scores):
            produced |= _parts(name, value, about)
        else:
            produced[name] = value.numpy()
    if TO_TURN in inputs and method.card.turned_supports is not None:
        image = inputs[TO_TURN].numpy()
        angles = method.card.turned_supports(method.options)
        produced[TURNED] = np.stack([turned_pixels(image, angle) for angle in angles])
    return produced


def _parts(name: str, scores: Scores, about: Mapping[str, Any]) -> dict[str, Array]:
    """Return grid, score and evaluated map of a batch by their names."""
    height, width = about["image_shape"]
    sigma = float(about["options"]["gaussian_sigma"])
    maps = [start_map(scores.pixel[k : k + 1], (height, width), sigma)() for k in range(len(scores.pixel))]
    return {
        f"{name}grid": scores.pixel.numpy(),
        f"{name}score": scores.image.numpy(),
        f"{name}map": np.stack(maps),
    }
