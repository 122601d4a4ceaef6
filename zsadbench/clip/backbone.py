"""Build the frozen CLIP: architecture by open_clip, weights checked tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zsadbench.checkpoints import load_state, read_archive
from zsadbench.clip.resolve import BackboneSpec, state_of
from zsadbench.clip.towers import TextTower, VisionTower
from zsadbench.clip.weights import RANDOM_SEED

if TYPE_CHECKING:
    from zsadbench.types import Activation, PositionRule


class Backbone:
    """A CLIP whose towers never learn: parameters without gradients, evaluation mode, float32.

    `vision` and `text` are the towers, `spec` says what they are, `activation` what runs in their
    MLPs, `image_size` in pixels and `grid` in patches what the image tower takes.
    """

    def __init__(
        self, clip: Any, spec: BackboneSpec, image_size: int, position: PositionRule, *, quick_gelu: bool
    ) -> None:
        self.spec = spec
        self.image_size = image_size
        self.activation = "quick_gelu" if quick_gelu else "gelu"
        self.vision = VisionTower(clip.visual, spec.config, image_size, position)
        self.text = TextTower(clip, spec.config.text.context_length)
        self.grid = self.vision.grid
        for tower in (self.vision, self.text):
            tower.eval().requires_grad_(requires_grad=False)

    @property
    def device(self) -> torch.device:
        """Where the towers live."""
        return self.vision.positions.device

    def to(self, device: torch.device | str) -> Backbone:
        """Move both towers."""
        self.vision.to(device)
        self.text.to(device)
        return self


def build(
    spec: BackboneSpec,
    image_size: int | None = None,
    *,
    activation: Activation = "native",
    position: PositionRule = "bilinear",
    device: torch.device | str = "cpu",
) -> Backbone:
    """Build the backbone that `spec` describes.

    Args:
        spec: architecture and located weights.
        image_size: input side in pixels, a multiple of the patch; the native one if None.
        activation: `native` is what the weights were trained with.
        position: how the positional table is resized.
        device: where to put the towers.

    Raises:
        UsageError: the size is no multiple of the patch.
        WeightsError: the file is unreadable or of another architecture.
    """
    size = spec.config.vision.image_size if image_size is None else image_size
    spec.check_size(size)
    quick = spec.config.quick_gelu if activation == "native" else activation == "quick_gelu"
    clip = _architecture(spec, quick_gelu=quick)
    if spec.weights.path is not None:
        state = state_of(read_archive(spec.weights.path), str(spec.weights.path))
        load_state(clip, _complete(state, clip), f"weights {spec.weights.path} for backbone '{spec.name}'")
    return Backbone(clip, spec, size, position, quick_gelu=quick).to(device)


def _architecture(spec: BackboneSpec, *, quick_gelu: bool) -> nn.Module:
    """An open_clip model with randomly drawn parameters, always the same ones."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision, text = spec.config.vision, spec.config.text
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        model: nn.Module = CLIP(
            spec.config.embed_dim,
            CLIPVisionCfg(
                layers=vision.layers,
                width=vision.width,
                head_width=vision.width // vision.heads,
                patch_size=vision.patch_size,
                image_size=vision.image_size,
            ),
            CLIPTextCfg(
                context_length=text.context_length,
                vocab_size=text.vocab_size,
                width=text.width,
                heads=text.heads,
                layers=text.layers,
            ),
            quick_gelu=quick_gelu,
        )
    return model


def _complete(state: Mapping[str, Tensor], clip: nn.Module) -> dict[str, Tensor]:
    """The stored tensors as float32; the temperature, which no method reads, may be absent."""
    full = {name: tensor.float() for name, tensor in state.items() if name != "attn_mask"}
    return {"logit_scale": clip.state_dict()["logit_scale"], **full}
