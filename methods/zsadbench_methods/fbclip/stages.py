"""Every intermediate result of FB-CLIP by its name in the parity fixtures; `lNN` is the tapped block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from zsadbench.types import Tokens
from zsadbench_methods.fbclip.foreground import Foreground, scaled_cues
from zsadbench_methods.fbclip.model import FBCLIP
from zsadbench_methods.fbclip.views import Group, View


class TracedFBCLIP(FBCLIP):
    """FB-CLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure once and keep all of it; the class names are not used."""
        text, foregrounds = self.text_features(), self.foregrounds(tokens)
        views = list(self.views(tokens, foregrounds))
        groups = list(self.fb_attention(tokens, views))
        prototype = self.background_prototype(groups, foregrounds)  # (batch, width)
        features = list(self.project(self.suppress_background(groups, foregrounds)))
        scores = self.probabilities(self.weighted_sum(self.cosines(features, text)), tokens.grid)
        return {
            "text_features": text,
            "foreground_score": torch.stack([foreground.score for foreground in foregrounds]),
            "foreground_mask": torch.stack([foreground.soft for foreground in foregrounds]),
            "background_prototype": prototype,
            "score": scores.image,
            "map_grid": scores.pixel,
            **dict(self._cues(tokens, foregrounds)),
            **{f"vision_tokens_{self._block(number)}": layer for number, layer in enumerate(tokens.layers)},
            **dict(self._groups([view for layer_views in views for view in layer_views], groups, features)),
            **dict(self._background_similarities(groups, prototype)),
            "map_before_suppression": self._map_before_suppression(groups, text, tokens.grid),
        }

    def _block(self, layer: int) -> str:
        return f"l{self.options.layers[layer]:02d}"

    def _cues(self, tokens: Tokens, foregrounds: Sequence[Foreground]) -> Iterator[tuple[str, Tensor]]:
        """The scaled cues of every layer's mask."""
        for number, (layer, foreground) in enumerate(zip(tokens.layers, foregrounds, strict=True)):
            previous = tokens.layers[number - 1] if number else None
            for name, cue in scaled_cues(layer, previous, foreground.similarity).items():
                yield f"cue_{name}_{self._block(number)}", cue

    def _groups(
        self, views: Sequence[View], groups: Sequence[Group], features: Sequence[Group]
    ) -> Iterator[tuple[str, Tensor]]:
        """Each view before FB-Attention, its gates, its tokens after FB-Attention, and those in the joint space."""
        for view, group, projected in zip(views, groups, features, strict=True):
            block, before_attention = self._block(view.layer), view.tokens
            yield f"{view.name}_{block}", before_attention
            yield f"fb_gate_{block}_{view.name}", self.network.attention.gate_values(before_attention).squeeze(-1)
            yield f"fb_attention_{block}_{view.name}", group.tokens
            yield f"projected_{block}_{view.name}", projected.tokens

    def _background_similarities(self, groups: Sequence[Group], prototype: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The cosine of every token with the background prototype."""
        for group in groups:
            name = f"background_similarity_{self._block(group.layer)}_{group.view}"
            yield name, cosine_similarity(group.tokens, prototype.unsqueeze(1), dim=-1)

    def _map_before_suppression(self, groups: Sequence[Group], text: Tensor, grid: int) -> Tensor:
        """The anomaly map without background suppression."""
        return self.probabilities(self.weighted_sum(self.cosines(self.project(groups), text)), grid).pixel
