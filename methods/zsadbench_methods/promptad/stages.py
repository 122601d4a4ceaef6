"""Every intermediate result of PromptAD by its name in the parity fixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.types import Batch, Tokens
from zsadbench_methods.parts.precision import single_precision
from zsadbench_methods.promptad.model import MEMORY, PLAIN, VALUES, PromptAD
from zsadbench_methods.promptad.names import CLS, PARTS, SEG

FAMILIES = ("normal", "manual", "learned")


class TracedPromptAD(PromptAD):
    """PromptAD with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; sentences are those of the first class of the batch."""
        scores, depth = self.score(tokens, class_names), self.backbone.vision.walk.depth
        with single_precision(tokens.parts[PLAIN]):
            named = {"score": scores.image, "map_grid": scores.pixel, **self._text_stages(class_names)}
            named[f"original_tokens_l{depth:02d}"] = tokens.parts[PLAIN]
            named[f"vv_tokens_l{depth:02d}"] = tokens.parts[VALUES]
            named["image_features"], named["patch_features"] = self.image_feature(tokens), self.patch_features(tokens)
            named["textual_map_grid"] = self.textual_map(tokens, class_names)
            whole = named["image_features"].unsqueeze(1)
            named["textual_score"] = self.abnormality(whole, CLS, class_names).squeeze(1)
            for number, part in enumerate(MEMORY, start=1):
                states = tokens.parts[part]
                named[f"memory_raw_{number}"] = states[:, 1:]
                named[f"memory_features_{number}"] = normalize(states[:, 1:].float(), dim=-1)
                if self.options.memory_point == "input":  # the output of the block before
                    named[f"original_tokens_l{self.memory_blocks[number - 1] - 1:02d}"] = states
            if self.banks():
                named |= self._memory_stages(tokens)
        return named

    def _text_stages(self, class_names: Sequence[str]) -> dict[str, Tensor]:
        """Return tokens and features of the sentences, and the prototypes of both trainings."""
        named = {"text_features": self.text_features(SEG, class_names)}
        for part in PARTS:
            named[f"text_features_{part}"] = self.text_features(part, class_names[:1])[0]
            prompts = self.network.prompts(part)
            if prompts is None:
                continue
            sentences = self.sentences(part, class_names[0])
            features = sentences.features(self.backbone.text, prompts)
            for family, ids, raw in zip(FAMILIES, sentences.ids, features, strict=True):
                longest = int(ids.argmax(dim=1).max()) + 1
                named |= {f"token_ids_{family}_{part}": ids[:, :longest], f"text_{family}_raw_{part}": raw}
        return named

    def _memory_stages(self, tokens: Tokens) -> dict[str, Tensor]:
        """Return what is remembered, and the distances to it."""
        distances, visual = self.distances(tokens), self.visual_map(tokens)
        return {
            **dict(self.banks()),
            **{f"visual_distance_{number}": distance for number, distance in enumerate(distances, start=1)},
            "visual_map_grid": visual,
            "visual_max": self.largest_distance(visual),
        }

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Return every term before its weight."""
        return {f"loss_{name}": term for name, term in self.loss_terms(tokens, batch).items()}
