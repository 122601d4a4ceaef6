"""Every intermediate result of MFP-CLIP; `lNN` is the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Tokens
from zsadbench_methods.mfpclip.model import COARSE, FEATURE, MFPCLIP, TEXT
from zsadbench_methods.parts.precision import single_precision


class TracedMFPCLIP(MFPCLIP):
    """MFP-CLIP with its intermediate results, for pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it."""
        named = {name: tokens.parts[name] for name in (FEATURE, TEXT) if name in tokens.parts}
        if COARSE in tokens.parts:
            named[COARSE] = tokens.parts[COARSE].mean(dim=1)
        with single_precision(tokens.parts[TEXT]):
            features = self.patch_features(self.last_pass, tokens.layers)
            grids = self.grids(self.last_pass, tokens.layers, tokens.parts[TEXT])
        for number, block in enumerate(self.options.layers):
            named[f"vision_tokens_l{block:02d}"] = tokens.layers[number]
            named[f"aggregated_l{block:02d}"] = features[:, number]
            named[f"map_l{block:02d}"] = grids[:, number]
        scores = self.score(tokens, class_names)
        return {**named, "score": scores.image, "map": scores.pixel}
