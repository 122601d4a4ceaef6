"""Every intermediate result of AnomalyCLIP by its name in the parity fixtures; `lNN` is the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Batch, Tokens
from zsadbench_methods.anomalyclip.model import AnomalyCLIP


class TracedAnomalyCLIP(AnomalyCLIP):
    """AnomalyCLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; with several layers `map_grid` holds the map of each."""
        options, text, scores = self.options, self.text_features(), self.score(tokens, class_names)
        path = "dpam" if options.value_value else "plain"
        features = zip(options.layers, self.patch_features(tokens), strict=True)
        return {
            "text_features": text,
            "image_features": self.image_features(tokens),
            "score": scores.image,
            "map_grid": self.layer_maps(tokens, text) if len(options.layers) > 1 else scores.pixel,
            **{f"{path}_tokens_l{block:02d}": layer for block, layer in features},
        }

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the losses before their weights."""
        return {f"loss_{name}": term for name, term in self.loss_terms(tokens, batch).items()}
