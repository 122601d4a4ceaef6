"""FB-CLIP: foreground-background disentanglement for zero-shot anomaly detection (CVPR 2026).

The figure of the paper, left to right: prompts → text fusion; taps → foreground masks → views →
FB-Attention → background suppression → projection → logits summed over layers and views.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.fbclip.attention import FBAttention, Joined, Projected
from zsadbench_methods.fbclip.foreground import Foreground, find_foreground, scaled_cues
from zsadbench_methods.fbclip.fusion import TextFusion
from zsadbench_methods.fbclip.losses import all_losses
from zsadbench_methods.fbclip.prompts import Prompts
from zsadbench_methods.fbclip.suppression import masked_prototype, sequence_prototype, suppress
from zsadbench_methods.fbclip.views import View, find_view
from zsadbench_methods.parts.normed import variance_of
from zsadbench_methods.parts.precision import in_single
from zsadbench_methods.parts.remembered import Remembered

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.fbclip.options import Options

PUBLISHED_SLOTS = 6  # layer weights in the published files; the softmax runs over all of them


class Head(nn.Module):
    """Everything that is trained: two contexts, text fusion, FB-Attention, one weight a layer."""

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


class Group(NamedTuple):
    """One view of one tapped layer, after FB-Attention: (batch, 1 + patches, width)."""

    layer: int
    view: str
    tokens: Tensor


class FBCLIP:
    """The detector: `score` for inference, `loss` for training, `stages` for parity."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._remembered_text = Remembered(self.text_features, self.network.prompts, self.network.fusion)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Class-token probability and patch probabilities; the class names are not used."""
        projected = self._projected(self._groups(tokens), tokens)
        return self._read(self._logits(projected, self._remembered_text()), tokens.grid)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Make the text features, which are the same for all classes."""
        self._remembered_text()

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """The four components on one batch; gradients reach the contexts through the frozen text tower."""
        text = self.text_features()
        projected = list(self._projected(self._groups(tokens), tokens))
        scores = self._read(self._logits(projected, text), tokens.grid)
        last = projected[-1].tokens
        return all_losses(scores, last, text, batch, self.options)

    def text_features(self) -> Tensor:
        """(2, joint) unit rows, normal and abnormal; independent of the images."""
        states = self.backbone.text(self.network.prompts(), causal=self.options.text_causal)
        features: Tensor = self.network.fusion(states, self.network.prompts.eot, self.backbone.text.projection)
        return features

    def _foregrounds(self, tokens: Tokens) -> list[Foreground]:
        """One mask a tapped layer; taps are frozen, so no gradient passes."""
        before = (None, *tokens.layers[:-1])
        with torch.no_grad(), in_single(tokens.layers[0]):
            return [
                find_foreground(
                    layer,
                    previous,
                    threshold=self.options.foreground_threshold,
                    smoothing=self.options.mask_smoothing,
                    background_value=self.options.background_value,
                )
                for layer, previous in zip(tokens.layers, before, strict=True)
            ]

    def _found_views(self, tokens: Tokens) -> Iterator[list[tuple[str, View]]]:
        """The weights of every view of one tapped layer after the other; no gradient."""
        for layer, foreground in zip(tokens.layers, self._foregrounds(tokens), strict=True):
            with torch.no_grad(), in_single(layer):
                by_key = self.options.sem_weight_by_key
                found = [(name, find_view(name, layer, foreground, by_key=by_key)) for name in self.options.views]
            yield found

    def _views(self, tokens: Tokens) -> Iterator[Group]:
        """Every view as raw tokens, by layer, then view; no gradient."""
        for number, (layer, views) in enumerate(zip(tokens.layers, self._found_views(tokens), strict=True)):
            for name, view in views:
                with torch.no_grad(), in_single(layer):
                    made = view(layer)
                yield Group(number, name, made)

    def _groups(self, tokens: Tokens) -> list[Group]:
        """Every view after FB-Attention, by layer, then view."""
        if not self.options.fb_attention:
            return list(self._views(tokens))
        attention, made = self.network.attention, list[Group]()
        with in_single(tokens.layers[0]):
            joined = attention.joined()
        projections = self._projections(tokens.layers)
        for number, (layer, views) in enumerate(zip(tokens.layers, self._found_views(tokens), strict=True)):
            made += self._attended(number, layer, views, next(projections), joined)
        return made

    def _attended(
        self, number: int, layer: Tensor, views: Sequence[tuple[str, View]], projected: Projected, joined: Joined
    ) -> Iterator[Group]:
        """The views of one layer after FB-Attention."""
        for name, view in views:
            with torch.no_grad(), in_single(layer):
                variance = variance_of(view(layer))
            yield Group(number, name, self.network.attention.attend(variance, projected, joined, view))

    def _projections(self, layers: Sequence[Tensor]) -> Iterator[Projected]:
        """What all views of a layer need of its tokens; the weights are let go before the last one is handed out."""
        *before, last = layers
        with in_single(last):
            inward = self.network.attention.inward()
        for layer in before:
            yield self.network.attention.project(layer, inward)
        found = self.network.attention.project(last, inward)
        del inward
        yield found

    def _prototype(self, groups: Sequence[Group], tokens: Tokens) -> Tensor:
        """The background vector of each image, (batch, width)."""
        tensors = [group.tokens for group in groups]
        if self.options.bs_select == "sequence":
            return sequence_prototype(tensors, self.options.bs_fraction, self.options.bs_mix)
        masks = [~foreground.is_foreground for foreground in self._foregrounds(tokens)]
        chosen = [masks[group.layer] for group in groups]
        return masked_prototype(tensors, chosen, self.options.bs_fraction, self.options.bs_mix)

    def _projected(self, groups: Sequence[Group], tokens: Tokens) -> Iterator[Group]:
        """Background suppressed, then CLIP's frozen projection: (batch, 1 + patches, joint) a group."""
        projection = self.backbone.vision.projection
        prototype = self._prototype(groups, tokens) if self.options.bs else None
        for group in groups:
            kept = group.tokens if prototype is None else suppress(group.tokens, prototype)
            yield group._replace(tokens=kept @ projection)

    def _logits(self, projected: Iterable[Group], text: Tensor) -> Tensor:
        """Cosines over the temperature, weighted by layer and summed: (batch, 1 + patches, 2)."""
        weights = self.network.layer_weights.softmax(dim=0)
        parts = [weights[group.layer] * _cosines(group.tokens, text) for group in projected]
        return torch.stack(parts).sum(dim=0) / self.options.temperature

    def _read(self, logits: Tensor, grid: int) -> Scores:
        probability = logits.softmax(dim=-1)[..., 1]
        image, pixel = probability[:, 0], probability[:, 1:].reshape(-1, grid, grid)
        if self.options.image_score == "cls+max":
            image = (image + pixel.amax(dim=(1, 2))) / 2
        return Scores(image, pixel)

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Every intermediate by the names of the parity fixtures; `lNN` is the tapped block."""
        foregrounds = self._foregrounds(tokens)
        groups = self._groups(tokens)
        text = self.text_features()
        projected = list(self._projected(groups, tokens))
        scores = self._read(self._logits(projected, text), tokens.grid)
        named = {
            "text_features": text,
            "foreground_score": torch.stack([foreground.score for foreground in foregrounds]),
            "foreground_mask": torch.stack([foreground.soft for foreground in foregrounds]),
            "background_prototype": self._prototype(groups, tokens),
            "score": scores.image,
            "map_grid": scores.pixel,
        }
        named |= dict(self._cue_stages(tokens, foregrounds))
        return (
            named | dict(self._group_stages(tokens, groups, projected)) | dict(self._background(tokens, groups, text))
        )

    def _cue_stages(self, tokens: Tokens, foregrounds: Sequence[Foreground]) -> Iterator[tuple[str, Tensor]]:
        """The four cues of every mask, scaled, before they are summed."""
        before = (None, *tokens.layers[:-1])
        for block, layer, previous, found in zip(self.options.layers, tokens.layers, before, foregrounds, strict=True):
            for name, cue in scaled_cues(layer, previous, found.similarity).items():
                yield f"cue_{name}_l{block:02d}", cue

    def _background(self, tokens: Tokens, groups: Sequence[Group], text: Tensor) -> Iterator[tuple[str, Tensor]]:
        """How like the background prototype every token is, and the map as it were without suppression."""
        prototype = self._prototype(groups, tokens).unsqueeze(1)
        for group in groups:
            name = f"background_similarity_l{self.options.layers[group.layer]:02d}_{group.view}"
            yield name, cosine_similarity(group.tokens, prototype, dim=-1)
        plain = (group._replace(tokens=group.tokens @ self.backbone.vision.projection) for group in groups)
        yield "map_before_suppression", self._read(self._logits(plain, text), tokens.grid).pixel

    def _group_stages(
        self, tokens: Tokens, groups: Sequence[Group], projected: Sequence[Group]
    ) -> Iterator[tuple[str, Tensor]]:
        for block, layer in zip(self.options.layers, tokens.layers, strict=True):
            yield f"vision_tokens_l{block:02d}", layer
        for view, group, last in zip(self._views(tokens), groups, projected, strict=True):
            block = self.options.layers[view.layer]
            yield f"{view.view}_l{block:02d}", view.tokens
            yield f"fb_gate_l{block:02d}_{view.view}", self.network.attention.openness(view.tokens).squeeze(-1)
            yield f"fb_attention_l{block:02d}_{view.view}", group.tokens
            yield f"projected_l{block:02d}_{view.view}", last.tokens


def _cosines(features: Tensor, text: Tensor) -> Tensor:
    """(batch, 1 + patches, joint) beside both rows of the text: (batch, 1 + patches, 2)."""
    with in_single(features):
        return normalize(features.float(), dim=-1) @ text.T
