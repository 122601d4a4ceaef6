"""Distance to the mean of the image: ‖x_p − mean_q x_q‖ for every patch p, the largest for the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zsadbench.types import Scores

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.types import Tokens


class Distance:
    """Patches by their colours where the tower gives them, else by their tokens."""

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Euclidean distances, 0 and more; the class names are not used."""
        patches = tokens.layers[0][:, 1:] if tokens.colours is None else tokens.colours
        distance = (patches - patches.mean(dim=1, keepdim=True)).norm(dim=-1)
        return Scores(distance.amax(dim=1), distance.reshape(-1, tokens.grid, tokens.grid))

    def encode_text(self, class_names: Sequence[str]) -> None:
        """There is no text."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """The score and the map before it is enlarged."""
        scores = self.score(tokens, class_names)
        return {"score": scores.image, "map_grid": scores.pixel}
