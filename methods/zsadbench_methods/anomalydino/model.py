"""AnomalyDINO: patches of a vision encoder compared with those of a few normal images, or of all other test images.

The figure of the paper, left to right. Normal images, turned by eight angles → patches of the last block → memory. Test
image → patches → distance to the nearest remembered patch, 0 outside the foreground → map; mean of the highest
percent of the patches → image score. The batched form takes all other test images of the class for the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.errors import UsageError
from zsadbench.types import Scores, Tokens
from zsadbench_methods.anomalydino.foreground import foreground
from zsadbench_methods.parts.neighbours import nearest_distances, nearest_squares, top_mean
from zsadbench_methods.parts.token_store import TokenStore

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.anomalydino.options import Options

NO_MEMORY = "it compares with normal images of the class, and has none; pass --shots, or --reference to predict"


class AnomalyDINO:
    """The detector: `remember` and `score` with normal images; `gather` and `score_class` in the batched form.

    `backbone` is needed for masks of tokens that did not go through the final norm; None without.
    """

    def __init__(self, backbone: Backbone | None, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self._bank: Tensor | None = None  # (rows, width)
        self.begin_class("object")

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch by its distances to the remembered patches, in [0, 2]: images (batch,), maps on the grid.

        Raises:
            UsageError: nothing is remembered.
        """
        if self._bank is None:
            raise UsageError(NO_MEMORY)
        patches = patches_of(tokens)  # (batch, patches, width)
        near = nearest_distances(patches.flatten(0, 1), self._bank, self.options.neighbours, self.options.distance)
        return self.finish(self.mean(near).view(patches.shape[:2]), tokens, class_names)

    def finish(self, distance: Tensor, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Set the distances (batch, patches) outside the foreground of masked classes to 0; make scores and maps."""
        masked = torch.tensor([self.options.is_masked(name) for name in class_names], device=distance.device)
        if masked.any():
            distance = torch.where(masked.unsqueeze(1) & ~self.mask(tokens), 0.0, distance)
        return Scores(top_mean(distance, self.options.top_share), distance.view(-1, *tokens.shape))

    def mask(self, tokens: Tokens) -> Tensor:
        """Compute the mask of the foreground, boolean (batch, patches)."""
        patches = patches_of(tokens)
        if not self.options.final_norm and self.backbone is not None:
            patches = self.backbone.vision.norm(patches)
        return foreground(patches, tokens.shape, self.options)

    def mean(self, near: Tensor) -> Tensor:
        """Average the distances to the nearest patches, (n, count) → (n,); Euclidean ones by their squares."""
        return near.square().mean(dim=1).sqrt() if self.options.distance == "euclidean" else near.mean(dim=1)

    def remember(self, tokens: Tokens) -> None:
        """Remember the patches of these normal images instead of earlier ones; without any, forget all."""
        patches = patches_of(tokens)
        if not len(patches):
            self._bank = None
        elif self.options.mask_references and self.options.masks != "off":
            self._bank = patches[self.mask(tokens)]
        else:
            self._bank = patches.flatten(0, 1)

    # --- the batched form -------------------------------------------------------------------------

    def begin_class(self, class_word: str) -> None:
        """Forget all images that were gathered; `class_word` is that of the next ones."""
        self._word, self._patches, self._masks = class_word, TokenStore(), TokenStore()
        self._shape: tuple[int, int] = (0, 0)

    def gather(self, tokens: Tokens) -> None:
        """Take further images of the class."""
        self._shape = tokens.shape
        self._patches.add(patches_of(tokens))
        if self.options.is_masked(self._word):
            self._masks.add(self.mask(tokens).float())

    def score_class(self) -> Iterator[Scores]:
        """Score every image that was gathered against all others, one by one, in their order.

        Raises:
            UsageError: the others have too few patches for the quantile.
        """
        count, options = len(self._patches), self.options
        for number in range(count):
            distance = self.distance_to_others(number).unsqueeze(0)  # (1, patches)
            if len(self._masks):
                distance = distance * self._masks.read(number, number + 1)
            yield Scores(batched_score(distance, options.top_share), distance.view(1, *self._shape))

    def distance_to_others(self, number: int) -> Tensor:
        """Compare the patches of an image with those of all others: (patches,), see `near_mean`."""
        one, count = self._patches.read(number, number + 1)[0], len(self._patches)
        wanted = int(self.options.quantile * (count - 1) * len(one))
        if wanted < 2:
            need = int(2 / self.options.quantile / len(one)) + 2
            raise UsageError(f"it compares with the patches of at least {need} images; {count} were given")
        best = one.new_full((len(one), 0), 0.0)
        for start in range(0, count, BLOCK):
            others = self._patches.read(start, min(start + BLOCK, count))
            kept = [k for k in range(len(others)) if start + k != number]
            if kept:
                near = self.near(one, others[kept].flatten(0, 1), wanted)
                best = torch.cat([best, near], dim=1).sort(dim=1).values[:, :wanted]
        return near_mean(best)

    def near(self, rows: Tensor, bank: Tensor, count: int) -> Tensor:
        """Find the distances to the `count` nearest rows of a bank, (n, count)."""
        if self.options.distance == "cosine":  # from products alone: there are many neighbours
            cosines = normalize(rows, dim=-1) @ normalize(bank, dim=-1).T
            return (1 - cosines.topk(min(count, len(bank)), dim=1).values).clamp_min(0)
        return nearest_squares(rows, bank, count).sqrt()


BLOCK = 16  # images that are compared at once


def patches_of(tokens: Tokens) -> Tensor:
    """Return the patches of the only layer, (batch, patches, width)."""
    return tokens.layers[0][:, 1:].float()


def near_mean(near: Tensor) -> Tensor:
    """Average the distances strictly below the largest of every row; the largest itself where none is below.

    (n, count), rising → (n,). The published code divides by zero where none is below, as among copies of one image.
    """
    below = near < near[:, -1:]
    mean = (near * below).sum(dim=1) / below.sum(dim=1).clamp_min(1)
    return torch.where(below.any(dim=1), mean, near[:, -1])


def batched_score(distance: Tensor, share: float) -> Tensor:
    """Average the highest share of the patches, (batch, patches) → (batch,)."""
    return top_mean(distance, share)
