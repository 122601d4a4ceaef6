"""The results of plain CLIP by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Tokens
from zsadbench_methods.clip.model import PlainCLIP


class TracedPlainCLIP(PlainCLIP):
    """Plain CLIP with its intermediate results, for pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Return text features (batch, 2, joint), image scores (batch,) and maps (batch, grid, grid)."""
        scores = self.score(tokens, class_names)
        return {"text_features": self.text_features(class_names), "score": scores.image, "map_grid": scores.pixel}
