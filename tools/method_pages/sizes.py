"""How many parameters of a method are trained, with a backbone of the published size whose values do not matter."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import torch
from torch import nn

from zsadbench.clip import Backbone, resolve
from zsadbench.clip.config import BackboneConfig
from zsadbench.clip.sources import new_text, new_vision
from zsadbench.types import MethodCard, Staged


class _EmptyTowers:
    """Towers without values, which take no memory before they are written to."""

    logit_scale = 0.0

    def __init__(self, config: BackboneConfig) -> None:
        self._config = config

    def vision(self) -> nn.Module:
        with torch.device("meta"):
            return new_vision(self._config, quick_gelu=True).to_empty(device="cpu")

    def text(self) -> nn.Module:
        with torch.device("meta"):
            return new_text(self._config, quick_gelu=True).to_empty(device="cpu")

    def release_text(self) -> None:
        """Do nothing: no tensors are in memory."""


@cache
def empty_backbone(name: str, image_size: int) -> Backbone:
    """Build a backbone without values."""
    spec = resolve(name, "random")
    return Backbone(_EmptyTowers(spec.config), spec, image_size, "bilinear", quick_gelu=True)


def trained_parts(card: MethodCard, backbone: str, image_size: int) -> dict[str, int]:
    """Count the parameters that are trained, by the part of the network; of all stages of the training."""
    options = {"resnet": "random"} if "resnet" in {field.name for field in fields(card.options)} else {}
    with torch.random.fork_rng(devices=[]):
        detector = card.build(empty_backbone(backbone, image_size), card.options(**options))
    trained: set[str] = set()
    recipe = card.recipe
    while recipe is not None:
        if isinstance(detector, Staged):
            detector.begin_stage(recipe.stage)
        trained |= {name for name, parameter in detector.network.named_parameters() if parameter.requires_grad}
        recipe = recipe.before
    counts: dict[str, int] = {}
    for name, parameter in detector.network.named_parameters():
        if name in trained and parameter.numel():
            part = name.partition(".")[0]
            counts[part] = counts.get(part, 0) + parameter.numel()
    return counts
