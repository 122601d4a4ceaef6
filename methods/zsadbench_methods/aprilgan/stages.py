"""Every intermediate result of APRIL-GAN by its name in the parity fixtures; `lNN` is the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.types import Tokens
from zsadbench_methods.aprilgan.model import APRILGAN, MAP_MAX


class TracedAPRILGAN(APRILGAN):
    """APRIL-GAN with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; `map_grid` has an axis for layers before that of the batch."""
        options, grid = self.options, tokens.grid
        scores, text = self.score(tokens, class_names), self.text_features(class_names)
        named = {"text_features": text, "global_features": self.global_features(tokens)}
        for block, layer in zip(options.blocks, tokens.layers, strict=True):
            named[f"vision_tokens_l{block:02d}"] = layer
        unit = [normalize(features, dim=-1) for features in self.project(tokens)]  # (batch, patches, joint)
        for block, features in zip(options.layers, unit, strict=True):
            named[f"projected_l{block:02d}"] = features
        both = [options.logit_scale * text @ features.transpose(1, 2) for features in unit]  # (batch, 2, patches)
        named["map_grid"] = torch.stack([logits.view(-1, 2, grid, grid) for logits in both])
        named |= {"score": scores.image, "map": scores.pixel, MAP_MAX: scores.pixel.amax(dim=(1, 2))}
        if self._banks:
            named["few_shot_distance"] = torch.stack(self.distances(tokens))
        return named
