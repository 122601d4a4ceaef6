"""The frozen CLIP: two towers, each built when it is first asked for."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from zsadbench.clip.half import keep_half
from zsadbench.clip.resolve import BackboneSpec
from zsadbench.clip.sources import Source, skeleton, source_of
from zsadbench.clip.towers import TextTower, VisionTower

if TYPE_CHECKING:
    from zsadbench.tokens import Activation, Compiling, PositionRule

Tower = TypeVar("Tower", bound=nn.Module)


class Backbone:
    """A CLIP whose towers never learn: parameters without gradients, evaluation mode, float32 unless run in half.

    `vision` and `text` are the towers, `spec` says what they are, `activation` what runs in their
    MLPs, `image_size` in pixels and `grid` in patches what the image tower takes, `device` where they are.
    """

    def __init__(
        self,
        source: Source,
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
        self.activation = "quick_gelu" if quick_gelu else "gelu"
        self.grid = image_size // spec.config.vision.patch_size
        self.device = torch.device("cpu")
        self._source, self._position, self._compiling, self._precision = source, position, compiling, precision
        self._vision: VisionTower | None = None
        self._text: TextTower | None = None

    @property
    def vision(self) -> VisionTower:
        """The image tower."""
        if self._vision is None:
            with torch.inference_mode(mode=False):  # whoever asks first: others learn through it
                settings = self.image_size, self._position, self._compiling
                made = VisionTower(self._source.vision(), self.spec.config, *settings)
                keep_half(made, self._precision)
                self._vision = self._frozen(made)
        return self._vision

    @property
    def text(self) -> TextTower:
        """The text tower; after `release_text` it is built anew."""
        if self._text is None:
            with torch.inference_mode(mode=False):
                self._text = self._frozen(TextTower(self._source.text(), self.spec.config.text.context_length))
        return self._text

    def release_text(self) -> None:
        """Let the text tower go: for whoever has all text features that are needed."""
        self._text = None
        self._source.forget_text()

    def count_parameters(self) -> int:
        """Parameters of both towers, whether they are built or not."""
        return sum(prod(one.shape) for one in skeleton(self.spec.config).values())

    def to(self, device: torch.device | str) -> Backbone:
        """Move what is built; what is not will be built there."""
        self.device = torch.empty(0, device=device).device  # 'cuda' by its number
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
    """Make the backbone that `spec` describes; its towers are built when they are first asked for.

    Args:
        spec: architecture and located weights.
        image_size: input side in pixels, a multiple of the patch; the native one if None.
        activation: `native` is what the weights were trained with.
        position: how the positional table is resized.
        device: where to put the towers.
        compiling: whether the blocks of the image tower are compiled (see `zsadbench.clip.compiled`).
        precision: in which the image tower will run; in half precision its weights are kept so, too.

    Raises:
        UsageError: the size is no multiple of the patch.
        WeightsError: the file is unreadable or of another architecture.
    """
    size = spec.config.vision.image_size if image_size is None else image_size
    spec.check_size(size)
    quick = spec.config.quick_gelu if activation == "native" else activation == "quick_gelu"
    source = source_of(spec, quick_gelu=quick)
    made = Backbone(source, spec, size, position, quick_gelu=quick, compiling=compiling, precision=precision)
    return made.to(device)
