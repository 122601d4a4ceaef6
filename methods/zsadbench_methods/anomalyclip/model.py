"""AnomalyCLIP: object-agnostic prompt learning for zero-shot anomaly detection (ICLR 2024).

The figure of the paper, left to right. Text: prompts and deep prompts → text features. Image: class token → image
probability; patches of the value-value path → one map per layer → sum of the maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.anomalyclip.losses import loss_terms, weighted
from zsadbench_methods.anomalyclip.prompts import Prompts
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.anomalyclip.options import Options


class Head(nn.Module):
    """All trained parameters: two contexts and the deep prompts."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        self.prompts = Prompts(backbone.text, backbone.spec.config.text.layers, options)


class AnomalyCLIP:
    """The detector: `score` for inference, `loss` for training; `stages.py` adds the intermediate results."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_text = ParameterCache(self.text_features, self.network.prompts)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: the class token's probability of "abnormal", (batch,), and maps, (batch, grid, grid).

        The maps of all layers are added, so they reach from 0 to the number of layers. The class names are not used.
        """
        text = self._cached_text()  # (2, joint)
        image = self.logits(self.image_features(tokens), text).sigmoid()  # (batch,)
        pixel = self.layer_maps(tokens, text).sum(dim=1)  # (batch, layers, grid, grid) → (batch, grid, grid)
        return Scores(image, pixel)

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute the glocal losses on one batch; gradients reach the prompts through the frozen text tower."""
        return weighted(self.loss_terms(tokens, batch), self.options)

    def loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses before their weights: scalars by name."""
        text = self.text_features()
        logits = self.logits(self.image_features(tokens), text)  # (batch,)
        return loss_terms(logits, self.layer_maps(tokens, text), batch, self.options)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features, which are the same for all classes."""
        self._cached_text()

    def text_features(self) -> Tensor:
        """Encode both prompts: (2, joint) unit rows, normal and abnormal; independent of the images."""
        prompts, text = self.network.prompts, self.backbone.text
        states = text(prompts(), deep=prompts.deep_prompts())  # (2, length, width)
        ends = states[torch.arange(2, device=states.device), prompts.eot]  # (2, width)
        return normalize(ends @ text.projection, dim=-1)

    def image_features(self, tokens: Tokens) -> Tensor:
        """Project the class token of the last block: (batch, joint), not normalised; as published without norm."""
        vision = self.backbone.vision
        cls = tokens.layers[-1][:, 0]  # (batch, width)
        return (vision.norm(cls) if self.options.cls_norm else cls) @ vision.projection

    def patch_features(self, tokens: Tokens) -> Iterator[Tensor]:
        """Put every layer through the final norm and projection: (batch, 1 + patches, joint), not normalised."""
        vision, options = self.backbone.vision, self.options
        plain = tokens.layers[: len(options.layers)]  # the block of the class token comes last where it is no layer
        for layer in tokens.value_layers if options.value_value else plain:
            yield vision.norm(layer) @ vision.projection

    def logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compare features with both texts, (…, joint) → (…): the two-way softmax is the sigmoid of this logit."""
        with single_precision(features):
            difference: Tensor = normalize(features.float(), dim=-1) @ (text[1] - text[0])
        return difference / self.options.temperature

    def layer_maps(self, tokens: Tokens, text: Tensor) -> Tensor:
        """Compute the probability of "abnormal" of every patch in every layer, (batch, layers, grid, grid)."""
        logits = [self.logits(features[:, 1:], text) for features in self.patch_features(tokens)]
        probability = torch.stack(logits, dim=1).sigmoid()  # (batch, layers, patches)
        return probability.view(*probability.shape[:2], tokens.grid, tokens.grid)
