"""AF-CLIP: anomaly-focused CLIP adaptation for zero-shot anomaly detection (ACM MM 2025), and AF-CLIP+.

The figure of the paper, left to right. Text: prompts → text features. Image: tapped layers → spatial aggregation over
several windows → adapter → final norm and projection → logits, summed over layers and windows. AF-CLIP+ remembers the
aggregated patches of a few normal images; the distance to the nearest of them is the score, to which a share of the
zero-shot result is added. Other tunings take the place of the adapter, inside the encoder (`tuning.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.afclip.adapter import Adapter
from zsadbench_methods.afclip.aggregation import aggregate
from zsadbench_methods.afclip.alignment import alignment
from zsadbench_methods.afclip.fused import QKVProducts, attend, project_qkv
from zsadbench_methods.afclip.losses import loss_terms, patch_target, weighted
from zsadbench_methods.afclip.memory import bank_of, distance
from zsadbench_methods.afclip.prompts import Prompts
from zsadbench_methods.afclip.tuning import LoRA, Prefixes, VisualPrompts, make_tuning
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.afclip.options import Options


class Head(nn.Module):
    """All trained parameters: the prefix of the prompts, and the adapter or another tuning."""

    tuning: VisualPrompts | Prefixes | LoRA

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        self.prompts = Prompts(backbone.text, options)
        if options.inside:
            self.tuning = make_tuning(backbone, options)
        else:
            self.adapter = Adapter(backbone.spec.config.vision.width).requires_grad_(options.adapter)


class TokenSet(NamedTuple):
    """One tapped layer aggregated over one window: (batch, 1 + patches, width).

    `products` are the aggregated queries, keys and values of the adapter, None where the adapter is not applied.
    """

    block: int
    window: int
    tokens: Tensor
    products: QKVProducts | None


class AFCLIP:
    """The detector: `score` for inference, `remember` for few shots, `loss` for training.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_text = ParameterCache(self.text_features, self.network.prompts)
        self._banks: dict[tuple[int, int], Tensor] = {}  # (block, window) → unit rows of normal patches

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) and patches (batch, grid, grid). The class names are not used.

        Without remembered images these are zero-shot probabilities of "abnormal"; with them, distances to the memory
        plus a share of the zero-shot result.
        """
        options, text = self.options, self._cached_text()  # (2, joint)
        logits, distances = [], []
        for token_set in self.token_sets(tokens):  # per layer and window (batch, 1 + patches, width)
            if token_set.block in options.layers:
                logits.append(self.logits(self.project(self.adapt(token_set)), text))  # (batch, 1 + patches)
            bank = self._banks.get((token_set.block, token_set.window))
            if bank is not None:
                distances.append(distance(token_set.tokens, bank))  # (batch, patches)
        zero_shot = self.zero_shot_scores(logits, tokens.grid)
        if not distances:
            return zero_shot
        memory = self.memory_scores(distances, tokens.grid)
        return Scores(
            memory.image + options.image_alpha * zero_shot.image,
            memory.pixel + options.pixel_alpha * zero_shot.pixel,
        )

    def remember(self, tokens: Tokens) -> None:
        """Remember the aggregated patches of these normal images instead of earlier ones; without any, forget all."""
        if len(tokens.layers[0]) == 0:
            self._banks = {}
            return
        token_sets = self.token_sets(tokens, adapter=False)
        kept = (token_set for token_set in token_sets if token_set.block in self.options.memory_layers)
        self._banks = {(token_set.block, token_set.window): bank_of(token_set.tokens) for token_set in kept}

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute the components of the loss on one batch; gradients reach the prefix through the frozen text tower."""
        return weighted(self.loss_terms(tokens, batch), self.options)

    def loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses before their weights: scalars by name."""
        text, logits, aligned = self.text_features(), [], []
        target = patch_target(batch.masks, tokens.grid).flatten(1)  # (batch, patches)
        for token_set in self.token_sets(tokens):
            if token_set.block in self.options.layers:
                features = self.project(self.adapt(token_set))  # (batch, 1 + patches, joint)
                logits.append(self.logits(features, text))
                if self.options.alignment != "none":
                    aligned.append(alignment(features[:, 1:], target, self.options))
        scores = self.zero_shot_scores(logits, tokens.grid)
        mean_alignment = torch.stack(aligned).mean() if aligned else scores.image.new_zeros(())
        return loss_terms(scores, mean_alignment, batch, self.options)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features, which are the same for all classes."""
        self._cached_text()

    def text_features(self) -> Tensor:
        """Encode both prompts: (2, joint) unit rows, normal and abnormal; independent of the images."""
        prompts, text = self.network.prompts, self.backbone.text
        states = text(prompts())  # (2, length, width)
        ends = states[torch.arange(2, device=states.device), prompts.eot]  # (2, width)
        return normalize(ends @ text.projection, dim=-1)

    def token_sets(self, tokens: Tokens, *, adapter: bool = True) -> Iterator[TokenSet]:
        """Aggregate every tapped layer over every window, by layer, then window.

        Queries, keys and values of the adapter are linear in the tokens up to the norm: with `adapter` they are
        computed once per layer and aggregated like the tokens.
        """
        options = self.options
        for block, layer in zip(options.blocks, tokens.layers, strict=True):
            adapted = adapter and options.adapter and block in options.layers
            products = project_qkv(self.network.adapter, layer) if adapted else None
            of_windows = layer.unbind(dim=1) if options.tuning == "prefix" else [layer] * len(options.windows)
            for window, plain in zip(options.windows, of_windows, strict=True):
                with single_precision(plain):
                    aggregated = self._aggregate(plain, tokens.grid, window)
                if products is None:
                    yield TokenSet(block, window, aggregated, None)
                else:
                    rows = self._aggregate(products.rows, tokens.grid, window)
                    yield TokenSet(block, window, aggregated, products._replace(rows=rows))

    def _aggregate(self, tokens: Tensor, grid: int, window: int) -> Tensor:
        options = self.options
        return aggregate(tokens, grid, window, options.window_sigma, renormalise=options.renormalise_border)

    def adapt(self, token_set: TokenSet) -> Tensor:
        """Apply the adapter, whose output replaces the tokens: (batch, 1 + patches, width)."""
        products = token_set.products
        return token_set.tokens if products is None else attend(self.network.adapter, token_set.tokens, products)

    def project(self, adapted: Tensor) -> Tensor:
        """Apply CLIP's final norm and projection: (batch, 1 + patches, width) → (batch, 1 + patches, joint)."""
        vision = self.backbone.vision
        features: Tensor = vision.norm(adapted.float()) @ vision.projection
        return features

    def logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compare features with both texts, (batch, 1 + patches, joint) → (batch, 1 + patches).

        The two-way softmax of sums of cosines is the sigmoid of the sum of these differences.
        """
        with single_precision(features):
            difference: Tensor = normalize(features.float(), dim=-1) @ (text[1] - text[0])
        return difference / self.options.temperature

    @staticmethod
    def zero_shot_scores(logits: Sequence[Tensor], grid: int) -> Scores:
        """Sum the logits of all token sets, (batch, 1 + patches) each; the class token gives the image score."""
        abnormal = torch.stack(list(logits)).sum(dim=0).sigmoid()  # (batch, 1 + patches)
        return Scores(abnormal[:, 0], abnormal[:, 1:].reshape(-1, grid, grid))

    @staticmethod
    def memory_scores(distances: Sequence[Tensor], grid: int) -> Scores:
        """Average the distances of all token sets, (batch, patches) each; the largest of a map is the image score."""
        pixel = torch.stack(list(distances)).mean(dim=0).view(-1, grid, grid)  # (batch, grid, grid)
        return Scores(pixel.amax(dim=(1, 2)), pixel)
