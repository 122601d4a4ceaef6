"""MRAD-TF: retrieval from a memory of labelled images of another data set, without training.

Left to right. Patches of the value-value path after the final norm → mean over neighbourhoods → unit length → softmax
of the cosines with the patch memory → share of its abnormal entries → map. Image feature, likewise with the image
memory → probability; with the highest percent of the smoothed map → image score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import interpolate, normalize

from zsadbench.types import Batch, Scores, Tokens
from zsadbench_methods.mrad_tf.memory import Memory, image_entries, neighbour_mean, patch_entries
from zsadbench_methods.parts.gaussian import smoothed
from zsadbench_methods.parts.neighbours import top_mean
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.mrad_tf.options import Options


class MRADTF:
    """The detector: `remember_auxiliary` makes its memory, `score` retrieves from it.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.size = backbone.image_size
        config = backbone.spec.config
        self.network = Memory(config.embed_dim, config.vision.width).to(backbone.device)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) in [0, 1], maps (batch, rows, columns) of shares of the abnormal memory.

        The class names are not used.
        """
        pixel = self.retrieved(tokens)
        with single_precision(pixel):
            high = top_mean(self.smoothed(pixel).flatten(1), self.options.top_share)
            weight = self.options.image_weight
            return Scores((1 - weight) * high + weight * self.image_probability(tokens), pixel)

    def remember_auxiliary(self, batches: Iterable[tuple[Tokens, Batch]]) -> None:
        """Replace the memory by that of a labelled set: one pass over its batches, in any order."""
        image, patch = [], []
        for tokens, batch in batches:
            image.append(image_entries(self.image_features(tokens), batch.labels))
            patch.append(patch_entries(self.averaged(tokens), batch.masks, tokens.shape))
        self.network.replace(image, patch)

    def retrieved(self, tokens: Tokens) -> Tensor:
        """Compute the share of the abnormal patch memory for every patch, (batch, rows, columns)."""
        averaged = self.averaged(tokens)
        with single_precision(averaged):
            queries = normalize(averaged, dim=-1)
            return self.network.patch.share(queries, self.options.temperature).view(-1, *tokens.shape)

    def image_probability(self, tokens: Tokens) -> Tensor:
        """Compute the share of the abnormal image memory, (batch,)."""
        queries = normalize(self.image_features(tokens), dim=-1)
        return self.network.image.share(queries, self.options.temperature)

    def averaged(self, tokens: Tokens) -> Tensor:
        """Average the patches over their neighbourhoods, (batch, patches, width)."""
        return neighbour_mean(self.patches(tokens), tokens.shape, self.options.windows)

    def patches(self, tokens: Tokens) -> Tensor:
        """Return the patches of the value-value path after the final norm, (batch, patches, width)."""
        normed: Tensor = self.backbone.vision.norm(tokens.value_layers[0][:, 1:])
        return normed.float()

    def image_features(self, tokens: Tokens) -> Tensor:
        """Project the class token of the plain path without the final norm, as published: (batch, joint)."""
        projected: Tensor = tokens.layers[0][:, 0] @ self.backbone.vision.projection
        return projected.float()

    def enlarged(self, grid: Tensor) -> Tensor:
        """Enlarge maps bilinearly to the size of the input, (batch, size, size)."""
        return interpolate(grid.unsqueeze(1), (self.size, self.size), mode="bilinear", align_corners=False).squeeze(1)

    def smoothed(self, grid: Tensor) -> Tensor:
        """Enlarge and smooth maps, (batch, size, size)."""
        return smoothed(self.enlarged(grid), self.options.sigma)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Do nothing: there is no text."""
