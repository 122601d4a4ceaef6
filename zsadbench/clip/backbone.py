"""The frozen backbone: an image and a text tower, or an image tower alone; each is built when it is first used."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from zsadbench.clip.half import keep_half
from zsadbench.clip.resolve import BackboneSpec, check_activation
from zsadbench.clip.sources import TowerSource, skeleton, tower_source
from zsadbench.clip.timm_models.config import TimmConfig
from zsadbench.clip.timm_models.pairs import PairConfig
from zsadbench.clip.timm_models.text import PairTextTower
from zsadbench.clip.timm_models.tower import TimmTower
from zsadbench.clip.towers import TextTower, VisionTower

if TYPE_CHECKING:
    from zsadbench.tokens import Activation, Compiling, PositionRule

Tower = TypeVar("Tower", bound=nn.Module)


class Backbone:
    """Frozen towers: parameters without gradients, evaluation mode, float32 unless they run in half precision.

    `vision` and `text` are the towers, `spec` says what they are, `activation` is that of the image tower's MLPs.
    `image_size` in pixels and `grid` in patches are the sides of the input of the image tower, `device` is where the
    towers are.
    """

    def __init__(
        self,
        source: TowerSource,
        spec: BackboneSpec,
        image_size: int,
        position: PositionRule,
        *,
        quick_gelu: bool,
        compiling: Compiling = "off",
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.spec = spec
        self.image_size = image_size
        self.activation = replace(spec.config, quick_gelu=quick_gelu).activation
        self.grid = image_size // spec.config.vision.patch_size
        self.device = torch.device("cpu")
        self._source, self._position, self._compiling, self._precision = source, position, compiling, precision
        self._vision: VisionTower | None = None
        self._text: TextTower | None = None

    @property
    def logit_scale(self) -> float:
        """What CLIP calls so, as the weights store it, without the exponential; ln 100 where they store none."""
        return self._source.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """What a pair that was trained with a sigmoid (SigLIP) adds to the scaled cosine; None for others."""
        return self._source.logit_bias

    @property
    def vision(self) -> VisionTower:
        """The image tower."""
        if self._vision is None:
            with torch.inference_mode(mode=False):  # training may use a tower that was first used in inference mode
                config, settings = self.spec.config, (self.image_size, self._position, self._compiling)
                make = TimmTower if isinstance(config, TimmConfig) else VisionTower
                tower: VisionTower = make(self._source.vision(), config, *settings)  # type: ignore[arg-type]
                for part in tower.halved:
                    keep_half(part, self._precision)
                self._vision = self._frozen(tower)
        return self._vision

    @property
    def text(self) -> TextTower:
        """The text tower; after `release_text` it is built again. `UsageError` where the backbone has none."""
        if self._text is None:
            with torch.inference_mode(mode=False):
                config, text = self.spec.config, self._source.text()
                if isinstance(config, PairConfig):
                    self._text = self._frozen(PairTextTower(text, config))
                else:
                    self._text = self._frozen(TextTower(text, config.text.context_length))
        return self._text

    def release_text(self) -> None:
        """Free the text tower, once all text features that are needed are computed."""
        self._text = None
        self._source.release_text()

    def count_parameters(self) -> int:
        """Count the parameters of both towers without building them."""
        return sum(prod(tensor.shape) for tensor in skeleton(self.spec.config).values())

    def to(self, device: torch.device | str) -> Backbone:
        """Move the towers to a device; a tower that is not built yet will be built there."""
        self.device = torch.empty(0, device=device).device  # adds the index to 'cuda'
        for tower in (self._vision, self._text):
            if tower is not None:
                tower.to(self.device)
        return self

    def _frozen(self, tower: Tower) -> Tower:
        return tower.eval().requires_grad_(requires_grad=False).to(self.device)


def build(
    spec: BackboneSpec,
    image_size: int | None = None,
    *,
    activation: Activation = "native",
    position: PositionRule = "bilinear",
    device: torch.device | str = "cpu",
    compiling: Compiling = "off",
    precision: torch.dtype = torch.float32,
) -> Backbone:
    """Prepare the backbone that `spec` describes; its towers are built when they are first used.

    Args:
        spec: architecture and located weights.
        image_size: input side in pixels, a multiple of the patch; the native one if None.
        activation: `native` is what the weights were trained with.
        position: how the positional table is resized.
        device: where to put the towers.
        compiling: whether the blocks of the image tower are compiled (see `zsadbench.clip.compiled`).
        precision: of the image tower; in half precision its weights are stored in half precision, too.

    Raises:
        UsageError: the size is not a multiple of the patch, or the activation cannot be replaced.
        WeightsError: the file is unreadable or of another architecture.
    """
    size = spec.config.vision.image_size if image_size is None else image_size
    spec.check_size(size)
    check_activation(spec.config, activation)
    quick = spec.config.quick_gelu if activation == "native" else activation == "quick_gelu"
    source = tower_source(spec, quick_gelu=quick)
    backbone = Backbone(source, spec, size, position, quick_gelu=quick, compiling=compiling, precision=precision)
    return backbone.to(device)
