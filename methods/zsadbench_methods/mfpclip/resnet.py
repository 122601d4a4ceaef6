"""The ResNet-50 whose feature of the whole image prompts both encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import resnet50

from zsadbench.checkpoints import load_state, read_archive, unwrap
from zsadbench_methods.mfpclip.weights import SEED
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip.weights import Weights
    from zsadbench_methods.mfpclip.options import Options

CLIP_COLOURS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # mean, deviation
IMAGENET_COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Colours(nn.Module):
    """Mean and deviation of the three channels, between which normalised images are converted."""

    clip: Tensor
    imagenet: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, colours in (("clip", CLIP_COLOURS), ("imagenet", IMAGENET_COLOURS)):
            self.register_buffer(name, torch.tensor(colours).view(2, 3, 1, 1), persistent=False)

    def raw(self, images: Tensor) -> Tensor:
        """Convert images normalised for CLIP to values from 0 to 1."""
        return images * self.clip[1] + self.clip[0]

    def for_clip(self, raw: Tensor) -> Tensor:
        """Normalise values from 0 to 1 for CLIP."""
        return (raw - self.clip[0]) / self.clip[1]

    def for_imagenet(self, images: Tensor) -> Tensor:
        """Convert images normalised for CLIP to the normalisation of ImageNet."""
        return (self.raw(images) - self.imagenet[0]) / self.imagenet[1]


class ResNet(nn.Module):
    """torchvision's ResNet-50 up to the pooled output of a layer, batch norms always in evaluation mode.

    Random weights are drawn under a seed of their own, the last norm of each residual branch zero, so that values keep
    their size from layer to layer.

    Raises:
        WeightsError: the file holds no ResNet-50.
    """

    def __init__(self, weights: Weights, options: Options) -> None:
        super().__init__()
        self.size, self.colours = options.resnet_size, Colours()
        self.for_clip = options.resnet_colours == "clip"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            whole = resnet50(weights=None, zero_init_residual=True)
        del whole.fc
        if weights.path is not None:
            load_state(whole, _state_of(read_archive(weights.path), weights), f"weights {weights.path}")
        last = int(options.resnet_layer.removeprefix("layer"))
        stem = [whole.conv1, whole.bn1, whole.relu, whole.maxpool]
        self.body = nn.Sequential(*stem, *(whole.get_submodule(f"layer{number}") for number in range(1, last + 1)))
        self.body.eval().requires_grad_(requires_grad=options.resnet_trained)

    def train(self, mode: bool = True) -> ResNet:
        """Stay in evaluation mode."""
        return super().train(mode=False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the pooled feature of images normalised for CLIP: (batch, 3, size, size) → (batch, width)."""
        with single_precision(images):
            images = images.float() if self.for_clip else self.colours.for_imagenet(images.float())
            if self.size:
                images = interpolate(images, (self.size, self.size), mode="bilinear", antialias=True)
            feature: Tensor = self.body(images).mean(dim=(2, 3))
        return feature


def _state_of(raw: Any, weights: Weights) -> Mapping[str, Tensor]:
    """Return the tensors of a ResNet-50, without those of its classifier."""
    entries = unwrap(raw, {"conv1.weight", "bn1.weight", "layer4.2.conv3.weight"}, str(weights.path))
    return {
        name: tensor for name, tensor in entries.items() if isinstance(tensor, Tensor) and not name.startswith("fc.")
    }
