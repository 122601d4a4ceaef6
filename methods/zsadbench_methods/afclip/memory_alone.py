"""AF-CLIP+'s memory without the zero-shot result: it reads no text, so it takes any image encoder.

Tapped layers → spatial aggregation over several windows → distance to the nearest patch of a few normal images,
averaged over layers and windows. With CLIP it is AF-CLIP+ with `image_alpha` and `pixel_alpha` of 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench.errors import UsageError
from zsadbench.types import Scores, Tokens
from zsadbench_methods.afclip.aggregation import aggregate
from zsadbench_methods.afclip.memory import bank_of, distance
from zsadbench_methods.afclip.model import AFCLIP
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench_methods.afclip.options import MemoryOptions

NO_MEMORY = "it compares with normal images of the class, and has none; pass --shots, or --reference to predict"


class AFCLIPMemory:
    """The detector: `remember` and `score`; nothing is trained."""

    def __init__(self, options: MemoryOptions) -> None:
        self.options = options
        self._banks: list[Tensor] = []  # per layer and window: unit rows of normal patches

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch by its distances to the memory, in [0, 1]: images (batch,), patches (batch, grid, grid).

        Raises:
            UsageError: nothing is remembered.
        """
        if not self._banks:
            raise UsageError(NO_MEMORY)
        pairs = zip(self.aggregated(tokens), self._banks, strict=True)
        return AFCLIP.memory_scores([distance(patches, bank) for patches, bank in pairs], tokens.grid)

    def remember(self, tokens: Tokens) -> None:
        """Remember the aggregated patches of these normal images instead of earlier ones; without any, forget all."""
        known = len(tokens.layers[0]) > 0
        self._banks = [bank_of(patches) for patches in self.aggregated(tokens)] if known else []

    def aggregated(self, tokens: Tokens) -> Iterator[Tensor]:
        """Aggregate every layer over every window: (batch, 1 + patches, width), by layer, then window."""
        options = self.options
        for layer in tokens.layers:
            for window in options.windows:
                with single_precision(layer):
                    yield aggregate(
                        layer, tokens.grid, window, options.window_sigma, renormalise=options.renormalise_border
                    )
