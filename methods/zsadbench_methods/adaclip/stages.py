"""Every intermediate result of AdaCLIP by its name in the parity fixtures; `lNN` is the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zsadbench.types import Tokens
from zsadbench_methods.adaclip.fusion import fused_feature
from zsadbench_methods.adaclip.model import TEXT, AdaCLIP
from zsadbench_methods.parts.precision import single_precision


class TracedAdaCLIP(AdaCLIP):
    """AdaCLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; `map_grid` has an axis for layers before that of the batch."""
        options, grid, text = self.options, tokens.grid, tokens.parts[TEXT]
        scores = self.score(tokens, class_names)
        named = dict(tokens.parts)
        with single_precision(text):
            features, cls = self.patch_features(tokens), self.class_feature(tokens)
            for number, block in enumerate(options.layers):
                named[f"vision_tokens_l{block:02d}"] = tokens.layers[number]
                named[f"projected_l{block:02d}"] = features[:, number]
            both = options.logit_scale * text.unsqueeze(1) @ features.transpose(2, 3)  # (batch, layers, 2, grid²)
            named["map_grid"] = both.transpose(0, 1).reshape(len(options.layers), -1, 2, grid, grid)
            named |= {"cls_feature": cls, "score_without_hsf": self.abnormal_logits(cls, text).sigmoid()}
            probability = self.abnormal_logits(features, text).mean(dim=1).sigmoid()
            named["hsf_probability"] = probability
            if options.hsf != "none":
                clustered = self.cluster(features, probability)
                named |= {"hsf_selected": clustered.patches, "hsf_labels": clustered.labels}
                named["hsf_feature"] = fused_feature(features, clustered)
                named["hsf_weights"] = torch.zeros_like(probability).scatter(1, clustered.patches, clustered.weights)
        return {**named, "score": scores.image, "map": scores.pixel}
