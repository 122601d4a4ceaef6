"""The results of the two controls by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Tokens
from zsadbench_methods.distance.model import Distance


class TracedDistance(Distance):
    """A control with its results by name, for pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Return image scores (batch,) and maps on the patch grid (batch, grid, grid)."""
        scores = self.score(tokens, class_names)
        return {"score": scores.image, "map_grid": scores.pixel}
