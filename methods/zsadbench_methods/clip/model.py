"""Plain CLIP, the baseline: every token, the class token for the image, is compared with two sentences."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.types import Scores, Tokens
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.clip.options import Options


class PlainCLIP:
    """CLIP as published; its patch tokens go through the final norm and the projection as well."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.temperature = options.temperature or exp(-backbone.logit_scale)
        self._cached_text: dict[str, Tensor] = {}  # class name → (2, joint)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: probability of the anomalous sentence of each image, (batch,), and patch, (batch, grid, grid).

        `class_names`, one per image, go into the sentences.
        """
        vision, text = self.backbone.vision, self.text_features(class_names)  # text: (batch, 2, joint)
        features = vision.joint(tokens.layers[0])  # (batch, 1 + patches, joint)
        with single_precision(features):
            cosines = normalize(features.float(), dim=-1) @ text.transpose(1, 2)  # (batch, 1 + patches, 2)
            anomalous = (cosines / self.temperature).softmax(dim=-1)[..., 1]  # (batch, 1 + patches)
        return Scores(anomalous[:, 0], anomalous[:, 1:].reshape(-1, tokens.grid, tokens.grid))

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features of these classes."""
        self.text_features(class_names)

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        """Encode both sentences for every name, (names, 2, joint) unit rows, normal and anomalous; once per class."""
        for name in set(class_names) - self._cached_text.keys():
            sentences = [self.options.normal.format(name), self.options.anomalous.format(name)]
            with torch.no_grad(), single_precision(self.backbone.text.projection):
                self._cached_text[name] = normalize(self.backbone.text.sentence_features(sentences), dim=-1)
        return torch.stack([self._cached_text[name] for name in class_names])
