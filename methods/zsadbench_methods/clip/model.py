"""The floor: every token, the class token for the image, is compared with two sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.types import Scores, Tokens
from zsadbench_methods.parts.precision import in_single

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.clip.options import Options


class PlainCLIP:
    """CLIP as published, its patch tokens put through the final norm and the projection as well."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self._texts: dict[str, Tensor] = {}

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Probability of the anomalous sentence, for the class token and for every patch."""
        return self._read(self._probability(tokens, class_names), tokens.grid)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Make the text features of these classes, as far as they are not there."""
        self._text(class_names)

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Text features (batch, 2, joint), image score and patch map."""
        scores = self.score(tokens, class_names)
        return {"text_features": self._text(class_names), "score": scores.image, "map_grid": scores.pixel}

    def _probability(self, tokens: Tokens, class_names: Sequence[str]) -> Tensor:
        projected = self.backbone.vision.norm(tokens.layers[0]) @ self.backbone.vision.projection
        with in_single(projected):
            cosines = normalize(projected.float(), dim=-1) @ self._text(class_names).transpose(1, 2)
            return (cosines / self.options.temperature).softmax(dim=-1)[..., 1]  # (batch, 1 + patches)

    def _text(self, class_names: Sequence[str]) -> Tensor:
        """(batch, 2, joint) unit rows, normal and anomalous; each class is encoded once."""
        for name in set(class_names) - self._texts.keys():
            sentences = [self.options.normal.format(name), self.options.anomalous.format(name)]
            with torch.no_grad(), in_single(self.backbone.text.projection):
                self._texts[name] = normalize(self.backbone.text.sentence_features(sentences), dim=-1)
        return torch.stack([self._texts[name] for name in class_names])

    @staticmethod
    def _read(probability: Tensor, grid: int) -> Scores:
        return Scores(probability[:, 0], probability[:, 1:].reshape(-1, grid, grid))
