"""PromptAD: learning prompts with only normal samples for few-shot anomaly detection (CVPR 2024).

The figure of the paper, left to right. Text: learned normal vectors before the class word, before written states of
anomalies, and before learned abnormal vectors → one prototype per side. Image: two paths through the encoder, the plain
one and one of value-value attention. Image score: class token and text, with the largest distance of a patch to the
remembered ones. Map: patches of the second path and text, with the distances to the remembered patches. Both sides are
fused by half their harmonic mean. Image score (`cls`) and map (`seg`) have learned vectors of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, exp
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from zsadbench.errors import UsageError
from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.parts.nearest import bank_of, cosine_distance
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision
from zsadbench_methods.promptad.losses import terms
from zsadbench_methods.promptad.names import CLS, PARTS, SEG
from zsadbench_methods.promptad.prompts import BANKS, Network, Sentences

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.promptad.options import Options

DEPTH = 12  # blocks of the published image tower
PLAIN, VALUES, MEMORY = "plain", "values", ("memory_1", "memory_2")


def place_memory(blocks: Sequence[int], depth: int) -> tuple[int, ...]:
    """Return the remembered blocks of a tower: those numbers, whatever its depth, as published.

    A tower of fewer blocks than the published 12 is remembered at the same share of its depth.

    Raises:
        UsageError: the tower has no such block.

    >>> place_memory((4, 9), 24), place_memory((4, 9), 8)
    ((4, 9), (3, 6))
    """
    placed = tuple(ceil(block * min(depth, DEPTH) / DEPTH) for block in blocks)
    if max(placed) > depth or len(set(placed)) < len(placed):
        raise UsageError(f"option 'memory_blocks' is {list(blocks)}, which the image tower of {depth} blocks lacks")
    return placed


class PromptAD:
    """The detector: `encode` walks both paths, `begin_stage` and `loss` train, `remember` keeps patches.

    Text features depend on class and parameters alone, and are computed once for both.

    Raises:
        UsageError: the image tower has no such block to remember.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.memory_blocks = place_memory(options.memory_blocks, backbone.spec.config.vision.layers)
        self.backbone, self.options = backbone, options
        self.scale = exp(backbone.logit_scale) if options.temperature == "exp" else backbone.logit_scale
        self.network = Network(options, backbone.spec.config.text.width).to(backbone.device)
        self._sentences: dict[tuple[str, str], Sentences] = {}
        self._texts: dict[tuple[str, str], ParameterCache] = {}
        self._banks: dict[str, Tensor] = {}
        self.begin_stage(SEG)

    # --- encoder ---

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Walk both paths: O ← H + MLP(H) with H = O + A(O), and S ← S + VV(O), which has no MLP.

        The parts of the result are `plain` (batch, 1 + grid², width), the plain path at its end; `values` (batch,
        grid², width), the patches of the other; `memory_1` and `memory_2`, like `plain`, what is remembered.
        """
        walk, options, memory = self.backbone.vision.walk, self.options, []
        plain = value = walk.first_norm(walk.embed(images))
        for number in range(1, walk.depth + 1):
            block, entering = walk.block(number), plain
            q, k, v = block.heads(plain)
            if options.values:
                value = value + block.attend(v, v, v)
            half = plain + block.attend(q, k, v)
            plain = half + block.mlp(half)
            if number in self.memory_blocks:
                memory.append(half if options.memory_point == "attention" else entering)
        values = value if options.values else plain
        parts = {PLAIN: plain, VALUES: values[:, 1:], **dict(zip(MEMORY, memory, strict=True))}
        return Tokens((), walk.grid, parts=parts)

    # --- scores ---

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) and patches (batch, grid, grid); without a memory, by text alone."""
        with single_precision(tokens.parts[PLAIN]):
            image = self.abnormality(self.image_feature(tokens).unsqueeze(1), CLS, class_names).squeeze(1)
            pixel = self.textual_map(tokens, class_names)
            if self.banks():
                visual = self.visual_map(tokens)
                image = self.fuse(image, self.largest_distance(visual))
                pixel = self.fuse(pixel, visual)
            return Scores(image, pixel)

    def abnormality(self, features: Tensor, part: str, class_names: Sequence[str]) -> Tensor:
        """Compute softmax(τ · cosines) of "abnormal": unit (batch, n, joint) → (batch, n)."""
        logits = self.scale * features @ self.text_features(part, class_names).transpose(1, 2)  # (batch, n, 2)
        return logits.softmax(dim=-1)[..., 1]

    def textual_map(self, tokens: Tokens, class_names: Sequence[str]) -> Tensor:
        """Compare the patches with the text of the map: (batch, grid, grid)."""
        return self.abnormality(self.patch_features(tokens), SEG, class_names).view(-1, tokens.grid, tokens.grid)

    def visual_map(self, tokens: Tokens) -> Tensor:
        """Average the distances to the remembered patches over both blocks: (batch, grid, grid)."""
        mean = torch.stack(self.distances(tokens)).mean(dim=0)
        return mean.view(-1, tokens.grid, tokens.grid)

    def distances(self, tokens: Tokens) -> list[Tensor]:
        """Compute (1 − cos)/2 to the nearest remembered patch, per block: (batch, grid²) each, at least 0."""
        banks = self.banks()
        pairs = zip(MEMORY, BANKS, strict=True)
        return [cosine_distance(tokens.parts[part][:, 1:].float(), banks[bank]) / 2 for part, bank in pairs]

    def largest_distance(self, visual: Tensor) -> Tensor:
        """Enlarge the map of the memory, not smoothed, and take its maximum: (batch, grid, grid) → (batch,)."""
        side = self.options.resolution or self.backbone.image_size
        enlarged = interpolate(visual.unsqueeze(1), (side, side), mode="bilinear", align_corners=False)
        return enlarged.amax(dim=(1, 2, 3))

    def fuse(self, text: Tensor, memory: Tensor) -> Tensor:
        """Fuse both: 1/(1/text + 1/memory), or their mean."""
        if self.options.fusion == "mean":
            return (text + memory) / 2
        return 1 / (1 / text + 1 / memory)  # 0 where nothing differs from the memory

    def image_feature(self, tokens: Tokens) -> Tensor:
        """Project the class token of the plain path: unit (batch, joint)."""
        return self._project(tokens.parts[PLAIN][:, 0])

    def patch_features(self, tokens: Tokens) -> Tensor:
        """Project the patches of the second path: unit (batch, grid², joint)."""
        return self._project(tokens.parts[VALUES])

    def _project(self, states: Tensor) -> Tensor:
        walk = self.backbone.vision.walk
        return normalize(walk.project(walk.final_norm(states.float())), dim=-1)

    # --- memory ---

    def remember(self, tokens: Tokens) -> None:
        """Remember the patches of these normal images instead of earlier ones; without any, forget all."""
        known = len(tokens.parts[PLAIN]) > 0
        pairs = zip(MEMORY, BANKS, strict=True)
        self._banks = {bank: bank_of(tokens.parts[part][:, 1:].float()) for part, bank in pairs} if known else {}

    def banks(self) -> Mapping[str, Tensor]:
        """Return the remembered patches, unit (rows, width) per block; else those of a published file, if there are."""
        return self._banks or self.network.banks()

    # --- text ---

    def text_features(self, part: str, class_names: Sequence[str]) -> Tensor:
        """Return the prototypes of a training for these classes, (names, 2, joint), normal and abnormal, unit rows."""
        return torch.stack([self._prototypes(part, name) for name in class_names])

    def sentences(self, part: str, class_name: str) -> Sentences:
        """Return the embedded sentences of a class for a training."""
        key = (part, class_name)
        if key not in self._sentences:
            self._sentences[key] = Sentences(self.backbone.text, self.options, part, class_name)
        return self._sentences[key]

    def _prototypes(self, part: str, class_name: str) -> Tensor:
        prompts, key = self.network.prompts(part), (part, class_name)
        if prompts is None:
            return self.network.finished_text(part)
        if key not in self._texts:
            sentences, text = self.sentences(part, class_name), self.backbone.text
            self._texts[key] = ParameterCache(lambda: sentences.features(text, prompts).prototypes(), prompts)
        return self._texts[key]()

    # --- training ---

    def begin_stage(self, stage: str) -> None:
        """Train the vectors of the image score (`cls`) or of the map (`seg`); they share nothing."""
        self.stage = stage
        for part in PARTS:
            self.network.get_submodule(part).requires_grad_(part == stage)

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute every term of the loss of the present training on normal images of one or several classes."""
        known = self.loss_terms(tokens, batch)
        weighted = self.options.match_weight * known["match"]
        return {"v2t": known["v2t"], "triplet": known["triplet"], "match_weighted": weighted}

    def loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute `v2t`, `triplet` and `match`, each the mean over the classes of the batch."""
        part, names = self.stage, dict.fromkeys(batch.class_names)
        prompts = self.network.prompts(part)
        if prompts is None:
            raise UsageError("a published PromptAD file holds no prompts, so it cannot be trained further")
        with single_precision(tokens.parts[PLAIN]):
            features = self.image_feature(tokens) if part == CLS else self.patch_features(tokens)
            found = []
            for name in names:
                rows = [row for row, other in enumerate(batch.class_names) if other == name]
                text = self.sentences(part, name).features(self.backbone.text, prompts)
                found.append(terms(features[rows], text, self.scale, part, self.options))
        return {term: torch.stack([one[term] for one in found]).mean() for term in found[0]}
