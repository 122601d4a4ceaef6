"""Distance to the mean of the image: ‖x_p − mean_q x_q‖ of every patch p; the image score is the largest of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zsadbench.types import Scores

if TYPE_CHECKING:
    from zsadbench.types import Tokens


class Distance:
    """Compares the patches of an image by their mean colours where those were tapped, else by their tokens."""

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch by Euclidean distances in [0, ∞): images (batch,), patches (batch, grid, grid).

        The class names are not used.
        """
        patches = tokens.layers[0][:, 1:] if tokens.colours is None else tokens.colours  # (batch, patches, channels)
        distance = (patches - patches.mean(dim=1, keepdim=True)).norm(dim=-1)  # (batch, patches)
        return Scores(distance.amax(dim=1), distance.reshape(-1, tokens.grid, tokens.grid))

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Do nothing: there is no text."""
