"""FB-CLIP: foreground-background disentanglement for zero-shot anomaly detection (CVPR 2026).

The figure of the paper, left to right. Text: prompts → text tower → text fusion (MSTFF). Image: tapped layers →
foreground masks → views ID, SEM and SPA of each layer (MVFBE) → FB-Attention → background suppression (BS) →
projection → cosines with both texts → weighted sum over layers and views → probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.fbclip.attention import FBAttention
from zsadbench_methods.fbclip.foreground import Foreground, find_foreground
from zsadbench_methods.fbclip.fused import attend_views
from zsadbench_methods.fbclip.fusion import TextFusion
from zsadbench_methods.fbclip.losses import all_losses
from zsadbench_methods.fbclip.prompts import Prompts
from zsadbench_methods.fbclip.suppression import masked_prototype, sequence_prototype, suppress
from zsadbench_methods.fbclip.views import Group, View, find_mix
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.fbclip.options import Options

PUBLISHED_SLOTS = 6  # layer weights in the published files; the softmax runs over all of them


class Head(nn.Module):
    """All trained parameters: two contexts, text fusion, FB-Attention, one weight per layer."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        self.prompts = Prompts(backbone.text, options.context, options.class_word)
        self.fusion = TextFusion(config.text.width, config.embed_dim, options.pooling_weights)
        self.attention = FBAttention(config.vision.width, gated=options.gate)
        slots = max(PUBLISHED_SLOTS, len(options.layers))
        self.layer_weights = nn.Parameter(torch.full((slots,), 1 / slots))
        if not options.fb_attention:
            self.attention.requires_grad_(requires_grad=False)


class FBCLIP:
    """The detector: `score` for inference, `loss` for training; `stages.py` adds the intermediate results."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_text = ParameterCache(self.text_features, self.network.prompts, self.network.fusion)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: probability of "abnormal" of each image, (batch,), and of its patches, (batch, grid, grid).

        The class names are not used. The steps from `views` to `cosines` are generators, so that no step holds the
        results of all layers and views in memory, except `suppress_background`, which needs them.
        """
        text = self._cached_text()  # (2, joint)
        foregrounds = self.foregrounds(tokens)  # per layer (batch, patches)
        views = self.views(tokens, foregrounds)  # per layer: ID, SEM and SPA, (batch, 1 + patches, width) each
        groups = self.fb_attention(tokens, views)  # per layer and view (batch, 1 + patches, width)
        suppressed = self.suppress_background(groups, foregrounds)  # per layer and view (batch, 1 + patches, width)
        features = self.project(suppressed)  # per layer and view (batch, 1 + patches, joint)
        cosines = self.cosines(features, text)  # per layer and view (batch, 1 + patches, 2)
        logits = self.weighted_sum(cosines)  # (batch, 1 + patches, 2)
        return self.probabilities(logits, tokens.grid)

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute the components of the loss on one batch: scalars by name, whose sum is minimised.

        Gradients reach the contexts through the frozen text tower.
        """
        text = self.text_features()
        foregrounds = self.foregrounds(tokens)
        groups = self.fb_attention(tokens, self.views(tokens, foregrounds))
        features = list(self.project(self.suppress_background(groups, foregrounds)))
        scores = self.probabilities(self.weighted_sum(self.cosines(features, text)), tokens.grid)
        return all_losses(scores, features[-1].tokens, text, batch, self.options)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features, which are the same for all classes."""
        self._cached_text()

    def text_features(self) -> Tensor:
        """Encode and fuse both prompts: (2, joint) unit rows, normal and abnormal; independent of the images."""
        states = self.backbone.text(self.network.prompts(), causal=self.options.text_causal)  # (2, 77, text width)
        features: Tensor = self.network.fusion(states, self.network.prompts.eot, self.backbone.text.projection)
        return features

    def foregrounds(self, tokens: Tokens) -> list[Foreground]:
        """Find the foreground mask of every tapped layer; no gradient."""
        options, previous_layers = self.options, (None, *tokens.layers[:-1])
        with torch.no_grad(), single_precision(tokens.layers[0]):
            return [
                find_foreground(
                    layer,
                    previous,
                    threshold=options.foreground_threshold,
                    smoothing=options.mask_smoothing,
                    background_value=options.background_value,
                )
                for layer, previous in zip(tokens.layers, previous_layers, strict=True)
            ]

    def views(self, tokens: Tokens, foregrounds: Sequence[Foreground]) -> Iterator[list[View]]:
        """Find the views of one tapped layer after the other; no gradient."""
        by_key = self.options.sem_weight_by_key
        for number, (layer, foreground) in enumerate(zip(tokens.layers, foregrounds, strict=True)):
            with torch.no_grad(), single_precision(layer):
                mixes = {name: find_mix(name, layer, foreground, by_key=by_key) for name in self.options.views}
            yield [View(number, name, layer, mix) for name, mix in mixes.items()]

    def fb_attention(self, tokens: Tokens, views: Iterable[Sequence[View]]) -> Iterator[Group]:
        """Apply FB-Attention to every view, or only compute the view where the module is switched off."""
        if self.options.fb_attention:
            return attend_views(self.network.attention, tokens.layers, views)
        return (Group(view.layer, view.name, view.tokens) for layer_views in views for view in layer_views)

    def suppress_background(self, groups: Iterable[Group], foregrounds: Sequence[Foreground]) -> Iterator[Group]:
        """Push all tokens away from the background prototype of their image."""
        groups = list(groups)
        if not self.options.bs:
            yield from groups
            return
        prototype = self.background_prototype(groups, foregrounds)
        for group in groups:
            yield group._replace(tokens=suppress(group.tokens, prototype))

    def background_prototype(self, groups: Sequence[Group], foregrounds: Sequence[Foreground]) -> Tensor:
        """Compute the background prototype of each image from all layers and views, (batch, width)."""
        options, tokens = self.options, [group.tokens for group in groups]
        if options.bs_select == "sequence":
            return sequence_prototype(tokens, options.bs_fraction, options.bs_mix)
        background = [~foregrounds[group.layer].is_foreground for group in groups]
        return masked_prototype(tokens, background, options.bs_fraction, options.bs_mix)

    def project(self, groups: Iterable[Group]) -> Iterator[Group]:
        """Map tokens into the joint space with CLIP's frozen projection: (…, width) → (…, joint)."""
        for group in groups:
            yield group._replace(tokens=group.tokens @ self.backbone.vision.projection)

    def cosines(self, features: Iterable[Group], text: Tensor) -> Iterator[Group]:
        """Compute the cosines of all tokens with both texts, (…, joint) and (2, joint) → (…, 2)."""
        for group in features:
            with single_precision(group.tokens):
                cosines = normalize(group.tokens.float(), dim=-1) @ text.T
            yield group._replace(tokens=cosines)

    def weighted_sum(self, cosines: Iterable[Group]) -> Tensor:
        """Sum the cosines of all views, weighted by layer, and divide by the temperature: (batch, 1 + patches, 2)."""
        weights = self.network.layer_weights.softmax(dim=0)
        weighted = [weights[group.layer] * group.tokens for group in cosines]
        return torch.stack(weighted).sum(dim=0) / self.options.temperature

    def probabilities(self, logits: Tensor, grid: int) -> Scores:
        """Turn logits, (batch, 1 + patches, 2), into the image score of the class token and the map of the patches."""
        abnormal = logits.softmax(dim=-1)[..., 1]  # (batch, 1 + patches)
        image, pixel = abnormal[:, 0], abnormal[:, 1:].reshape(-1, grid, grid)
        if self.options.image_score == "cls+max":
            image = (image + pixel.amax(dim=(1, 2))) / 2
        return Scores(image, pixel)
