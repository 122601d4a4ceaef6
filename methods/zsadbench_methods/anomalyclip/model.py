"""AnomalyCLIP: object-agnostic prompt learning for zero-shot anomaly detection (ICLR 2024).

The figure of the paper, left to right: prompts, deep ones included → text features; class token →
image probability; patches of the value-value path → a map for each layer, added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.anomalyclip.losses import loss_terms, weighted
from zsadbench_methods.anomalyclip.prompts import Prompts
from zsadbench_methods.parts.precision import in_single
from zsadbench_methods.parts.remembered import Remembered

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.anomalyclip.options import Options


class Head(nn.Module):
    """Everything that is trained: two contexts and the deep prompts."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        self.prompts = Prompts(backbone.text, backbone.spec.config.text.layers, options)


class AnomalyCLIP:
    """The detector: `score` for inference, `loss` for training, `stages` for parity."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._remembered_text = Remembered(self.text_features, self.network.prompts)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Class-token probability, and patch probabilities summed over layers; class names are not used."""
        text = self._remembered_text()
        return Scores(self._image_logit(tokens, text).sigmoid(), self._maps(tokens, text).sum(dim=1))

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Make the text features, which are the same for all classes."""
        self._remembered_text()

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """The glocal losses on one batch; gradients reach the prompts through the frozen text tower."""
        return weighted(self._loss_terms(tokens, batch), self.options)

    def text_features(self) -> Tensor:
        """(2, joint) unit rows, normal and abnormal; independent of the images."""
        prompts, text = self.network.prompts, self.backbone.text
        states = text(prompts(), deep=prompts.deep_prompts())  # (2, length, width)
        ends = states[torch.arange(2, device=states.device), prompts.eot]
        return normalize(ends @ text.projection, dim=-1)

    def image_features(self, tokens: Tokens) -> Tensor:
        """The last class token in the joint space, (batch, joint), not normalised; as published without norm."""
        vision = self.backbone.vision
        cls = tokens.layers[-1][:, 0]
        return (vision.norm(cls) if self.options.cls_norm else cls) @ vision.projection

    def patch_features(self, tokens: Tokens) -> Iterator[Tensor]:
        """Every layer after the final norm in the joint space, (batch, 1 + patches, joint), not normalised."""
        vision, options = self.backbone.vision, self.options
        plain = tokens.layers[: len(options.layers)]  # the class token's block, if it is no layer, comes last
        for layer in tokens.value_layers if options.value_value else plain:
            yield vision.norm(layer) @ vision.projection

    def _logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Abnormal against normal, (…, joint) → (…): the two-way softmax is its sigmoid."""
        with in_single(features):
            cosines: Tensor = normalize(features.float(), dim=-1) @ (text[1] - text[0])
        return cosines / self.options.temperature

    def _image_logit(self, tokens: Tokens, text: Tensor) -> Tensor:
        return self._logits(self.image_features(tokens), text)

    def _maps(self, tokens: Tokens, text: Tensor) -> Tensor:
        """Probability of "abnormal" by layer and patch, (batch, layers, grid, grid)."""
        logits = [self._logits(features[:, 1:], text) for features in self.patch_features(tokens)]
        probability = torch.stack(logits, dim=1).sigmoid()  # (batch, layers, patches)
        return probability.view(*probability.shape[:2], tokens.grid, tokens.grid)

    def _loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        text = self.text_features()
        return loss_terms(self._image_logit(tokens, text), self._maps(tokens, text), batch, self.options)

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """The losses before their weights, by the names of the parity fixtures."""
        return {f"loss_{name}": term for name, term in self._loss_terms(tokens, batch).items()}

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Every intermediate by the names of the parity fixtures; with several layers `map_grid` has them all."""
        text, scores = self.text_features(), self.score(tokens, class_names)
        maps = self._maps(tokens, text)
        named = {
            "text_features": text,
            "image_features": self.image_features(tokens),
            "score": scores.image,
            "map_grid": maps if len(self.options.layers) > 1 else scores.pixel,
        }
        path = "dpam" if self.options.value_value else "plain"
        features = zip(self.options.layers, self.patch_features(tokens), strict=True)
        return named | {f"{path}_tokens_l{block:02d}": layer for block, layer in features}
