"""Every intermediate result of AF-CLIP by its name in the parity fixtures; `lNN` is the block, `rN` the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from zsadbench.types import Batch, Tokens
from zsadbench_methods.afclip.losses import patch_target
from zsadbench_methods.afclip.memory import distance
from zsadbench_methods.afclip.model import AFCLIP, TokenSet


class TracedAFCLIP(AFCLIP):
    """AF-CLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it."""
        options, scores = self.options, self.score(tokens, class_names)
        text, token_sets = self.text_features(), list(self.token_sets(tokens))
        named = {"text_features": text, "score": scores.image, "map_grid": scores.pixel}
        for block, layer in zip(options.blocks, tokens.layers, strict=True):  # with prefixes, an axis for windows more
            named[f"vision_tokens_l{block:02d}"] = layer
        for token_set in token_sets:
            label, adapted = f"l{token_set.block:02d}_r{token_set.window}", self.adapt(token_set)
            named[f"aggregated_{label}"] = token_set.tokens
            named[f"projected_{label}"] = self.project(adapted)
            if options.adapter:
                named[f"adaptor_{label}"] = adapted
        return named | dict(self._few_shot(token_sets, text, tokens.grid))

    def _few_shot(self, token_sets: Sequence[TokenSet], text: Tensor, grid: int) -> Iterator[tuple[str, Tensor]]:
        """The memory and both parts of the few-shot result, where images are remembered."""
        if not self._banks:
            return
        for (block, window), bank in self._banks.items():
            yield f"bank_l{block:02d}_r{window}", bank
        banks = [(each, self._banks.get((each.block, each.window))) for each in token_sets]
        memory = self.memory_scores([distance(each.tokens, bank) for each, bank in banks if bank is not None], grid)
        features = [self.project(self.adapt(each)) for each in token_sets if each.block in self.options.layers]
        zero_shot = self.zero_shot_scores([self.logits(each, text) for each in features], grid)
        for name, part in (("memory", memory), ("zero_shot", zero_shot)):
            yield f"{name}_score", part.image
            yield f"{name}_map_grid", part.pixel

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the target of the patches, (batch, grid, grid), and the losses before their weights."""
        terms = {f"loss_{name}": term for name, term in self.loss_terms(tokens, batch).items()}
        return {"target_grid": patch_target(batch.masks, tokens.grid), **terms}
