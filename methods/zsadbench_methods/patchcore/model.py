"""PatchCore's memory on given tokens: the distance of every patch to the nearest of a coreset of normal patches.

Left to right. Patches and their neighbourhoods → embeddings → of the normal images a coreset → squared distance to the
nearest kept embedding → map; the largest of them → image score. The paper's re-weighting of the image score (its
equation 7) is not in the published code, and not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench.errors import UsageError
from zsadbench.types import Scores, Tokens
from zsadbench_methods.parts.neighbours import nearest_distances, top_mean
from zsadbench_methods.patchcore.coreset import (
    approximate_starts,
    exact_starts,
    farthest_first,
    projection,
    start_rows,
)
from zsadbench_methods.patchcore.embedding import embed

if TYPE_CHECKING:
    from zsadbench_methods.patchcore.options import Options

NO_MEMORY = "it compares with normal images of the class, and has none; pass --shots, or --reference to predict"


class PatchCore:
    """The detector: `remember` and `score`; `stages.py` adds the results of a parity fixture."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._bank: Tensor | None = None  # (kept rows, width)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch by distances in [0, ∞): images (batch,), maps (batch, rows, columns).

        The class names are not used.

        Raises:
            UsageError: nothing is remembered.
        """
        return self.score_maps(maps_of(tokens))

    def score_maps(self, maps: Sequence[Tensor]) -> Scores:
        """Score a batch of maps, one per layer, (batch, width, rows, columns)."""
        if self._bank is None:
            raise UsageError(NO_MEMORY)
        options, embedded = self.options, embed(maps, self.options)
        near = nearest_distances(embedded.flatten(0, 1), self._bank, options.neighbours, options.distance)
        distance = near.mean(dim=1).view(embedded.shape[:2])
        top = options.image_score == "top"
        image = top_mean(distance, options.top_share) if top else distance.amax(dim=1)
        return Scores(image, distance.view(-1, *maps[0].shape[2:]))

    def remember(self, tokens: Tokens) -> None:
        """Remember a coreset of these normal images instead of earlier ones; without any, forget all."""
        if len(tokens.layers[0]):
            self.fit(embed(maps_of(tokens), self.options).flatten(0, 1))
        else:
            self._bank = None

    def fit(self, rows: Tensor, projected: Tensor | None = None, starts: Tensor | None = None) -> None:
        """Keep a coreset of rows (n, width); `projected` and `starts` replace the random draws."""
        self._bank = rows if self.options.coreset == "all" else rows[self.choose(rows, projected, starts)]

    def choose(self, rows: Tensor, projected: Tensor | None = None, starts: Tensor | None = None) -> Tensor:
        """Choose the coreset, int64 (kept rows,), in the order of the choice."""
        options = self.options
        count = max(1, int(options.share * len(rows)))
        if options.coreset == "exact":
            return farthest_first(rows, exact_starts(rows), count)
        if projected is None and options.projected not in (0, rows.shape[1]):
            projected = projection(rows.shape[1], options.projected, options.seed)
        if starts is None:
            starts = start_rows(len(rows), options.starts, options.seed)
        seen = rows if projected is None else rows @ projected.to(rows.device).T
        return farthest_first(seen, approximate_starts(seen, starts.to(rows.device)), count)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Do nothing: there is no text."""


def maps_of(tokens: Tokens) -> list[Tensor]:
    """Return the patches of every layer as maps, (batch, width, rows, columns)."""
    sides = tokens.shape
    return [layer[:, 1:].float().transpose(1, 2).reshape(len(layer), -1, *sides) for layer in tokens.layers]
