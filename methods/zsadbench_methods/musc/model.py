"""MuSc: zero-shot detection by mutual scoring of the unlabelled test images of a class (ICLR 2024).

The figure of the paper, left to right. Patches of four blocks → one normalised map per image → means of 1 × 1, 3 × 3
and 5 × 5 patches → unit length (LNAMD) → distances to the nearest patch of every other image, of which the nearest 30 %
are averaged (MSM) → mean over blocks and degrees → map. Largest pixel, averaged over similar images (RsCIN) → image
score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from zsadbench.errors import UsageError
from zsadbench.types import Scores, Tokens
from zsadbench_methods.musc.aggregation import aggregated, normalised
from zsadbench_methods.musc.mutual import BLOCK, Distances
from zsadbench_methods.musc.rescoring import rescored
from zsadbench_methods.parts.token_store import TokenStore

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.musc.options import Options

KEPT = 1 << 30  # bytes of distances that are kept for images that come later


class MuSc:
    """The detector: `gather` takes images of a class in batches, `score_class` scores all of them.

    Images may be gathered after a class was scored: they are compared with those before, and all are scored again. No
    score depends on the order of the images or on their batches but by rounding.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options, self.size = backbone, options, backbone.image_size
        self.with_text = backbone.spec.config.kind != "vision-only"
        self.block = BLOCK
        self.begin_class("object")

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Raise `UsageError`: no image is scored by itself."""
        raise UsageError("it compares all test images of a class with each other, and scores none by itself")

    def begin_class(self, class_word: str) -> None:
        """Forget all images that were gathered; the word of the class is not used."""
        self._shape: tuple[int, int] = (0, 0)
        self._layers: list[TokenStore] = []
        self._features: list[Tensor] = []
        self._distances: dict[tuple[int, int], Distances] = {}

    def gather(self, tokens: Tokens) -> None:
        """Take further images of the class."""
        self._shape = tokens.shape
        layers = [tokens.layers[self.options.blocks.index(block)] for block in self.options.layers]
        self._layers = self._layers or [TokenStore() for _ in layers]
        for store, layer in zip(self._layers, layers, strict=True):
            store.add(normalised(layer[:, 1:].float(), self.options.norm_epsilon))
        self._features.append(self.image_features(tokens))

    def image_features(self, tokens: Tokens) -> Tensor:
        """Compute the image features, (batch, width): of unit length, or raw (`Options.class_tokens`)."""
        features, wanted = self.class_features(tokens).float(), self.options.class_tokens
        unit = wanted == "unit" or (wanted == "published" and self.with_text)
        return normalize(features, dim=-1) if unit else features

    def class_features(self, tokens: Tokens) -> Tensor:
        """Compute what the encoder gives of an image: with a text encoder as CLIP does, else the normed class token."""
        vision, options = self.backbone.vision, self.options
        last = tokens.layers[options.blocks.index(options.class_layer)]
        if options.final_norm:
            return last[:, 0] @ vision.projection if self.with_text else last[:, 0]
        features: Tensor = vision.joint(last)[:, 0] if self.with_text else vision.norm(last[:, 0])
        return features

    def score_class(self) -> Iterator[Scores]:
        """Score all images that were gathered, in their order: maps at the size of the input, in [0, 2], one by one.

        Raises:
            UsageError: there are too few.
        """
        if self.count < self.options.fewest:
            raise UsageError(
                f"it compares the images of a class with each other and needs at least {self.options.fewest}; "
                f"{self.count} {'was' if self.count == 1 else 'were'} given"
            )
        grid = self.grid_maps()
        highest = torch.cat([self.enlarged(one).amax(dim=(1, 2)) for one in torch.split(grid, BLOCK)])
        scores = rescored(highest, torch.cat(self._features), self.options.neighbours)
        for score, one in zip(scores.float(), grid, strict=True):
            yield Scores(score.view(1), self.enlarged(one.unsqueeze(0)).float())

    @property
    def count(self) -> int:
        """The number of images that were gathered."""
        return len(self._layers[0]) if self._layers else 0

    def grid_maps(self) -> Tensor:
        """Average the mutual scores over blocks, then over degrees: float64 (images, rows, columns)."""
        degrees = []
        for side in self.options.degrees:
            layers = [self.mutual_scores(side, layer).double() for layer in range(len(self._layers))]
            degrees.append(torch.stack(layers).mean(dim=0))
        return torch.stack(degrees).mean(dim=0).view(-1, *self._shape)

    def mutual_scores(self, side: int, layer: int) -> Tensor:
        """Compute the mutual scores of one degree and one tapped block, (images, patches)."""
        distances = self._distances.get((side, layer), Distances())
        distances.grow(partial(self.unit_patches, side, layer), self.count, self.block)
        tables = len(self.options.degrees) * len(self._layers)
        if distances.table is not None and tables * distances.table.nbytes <= KEPT:
            self._distances[side, layer] = distances
        else:
            self._distances.pop((side, layer), None)
        return distances.scores(self.options.nearest_of(self.count))

    def unit_patches(self, side: int, layer: int, start: int, stop: int) -> Tensor:
        """Return the aggregated patches of some images, unit rows (images, patches, width)."""
        return aggregated(self._layers[layer].read(start, stop), self._shape, side)

    def enlarged(self, grid: Tensor) -> Tensor:
        """Enlarge maps bilinearly to the size of the input: (batch, rows, columns) → (batch, size, size)."""
        size, corners = (self.size, self.size), self.options.corners
        return interpolate(grid.unsqueeze(1), size, mode="bilinear", align_corners=corners).squeeze(1)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Do nothing: there is no text."""
