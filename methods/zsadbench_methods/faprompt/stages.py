"""Every intermediate result of FAPrompt by its name in the parity fixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Batch, Tokens
from zsadbench_methods.faprompt.model import FAPrompt


class TracedFAPrompt(FAPrompt):
    """FAPrompt with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; the text features of the first pass belong to no image."""
        sentences, scores = self.sentence_features(), self.score(tokens, class_names)
        passes, maps = self.passes(tokens, sentences), (-1, tokens.grid, tokens.grid)
        return {
            "text_normal_raw": sentences[:1],
            "text_abnormal_raw": sentences[1:],
            "text_features": passes.text,
            "image_features_raw": self.image_features(tokens),
            "patch_features_raw": self.patch_features(tokens),
            "map_grid_pass1": passes.first_map.view(maps),
            "selected_tokens": passes.selected,
            "prior": passes.prior,
            "text_features_conditioned": passes.conditioned,
            "map_grid_pass2": passes.second_map.view(maps),
            "text_probability": passes.logit.sigmoid(),
            "map_grid": scores.pixel,
            "score": scores.image,
        }

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the losses before their weights."""
        return {f"loss_{name}": term for name, term in self.loss_terms(tokens, batch).items()}
