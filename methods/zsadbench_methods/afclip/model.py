"""AF-CLIP: anomaly-focused CLIP adaptation for zero-shot anomaly detection (ACM MM 2025), and AF-CLIP+.

The figure of the paper, left to right: prompts → text features; taps → spatial aggregation → adapter →
final norm and projection → logits summed over layers and windows. With a few normal images at hand, the
distance to the nearest of their aggregated patches comes first, and the zero-shot result is added to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.afclip.adapter import Adapter, Projected
from zsadbench_methods.afclip.aggregation import aggregate
from zsadbench_methods.afclip.alignment import alignment
from zsadbench_methods.afclip.losses import loss_terms, patch_target, weighted
from zsadbench_methods.afclip.memory import bank_of, distance
from zsadbench_methods.afclip.prompts import Prompts
from zsadbench_methods.parts.precision import in_single
from zsadbench_methods.parts.remembered import Remembered

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.afclip.options import Options


class Head(nn.Module):
    """Everything that is trained: the prefix of the prompts and the adapter."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        self.prompts = Prompts(backbone.text, options)
        self.adapter = Adapter(backbone.spec.config.vision.width)
        if not options.adapter:
            self.adapter.requires_grad_(requires_grad=False)


class TokenSet(NamedTuple):
    """One tapped layer aggregated with one window: (batch, 1 + patches, width), and what the adapter needs of it."""

    block: int
    window: int
    tokens: Tensor
    ready: Projected | None

    @property
    def label(self) -> str:
        """As the parity fixtures name it."""
        return f"l{self.block:02d}_r{self.window}"


class AFCLIP:
    """The detector: `score` for inference, `remember` for few shots, `loss` for training, `stages` for parity."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._remembered_text = Remembered(self.text_features, self.network.prompts)
        self._banks: dict[tuple[int, int], Tensor] = {}

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Zero-shot probabilities, or with a memory its distances and a share of those; class names are not used."""
        text, logits, distances = self._remembered_text(), [], []
        for one in self._sets(tokens):  # each is aggregated once for both
            if one.block in self.options.layers:
                logits.append(self._logits(self._projected(one), text))
            if (one.block, one.window) in self._banks:
                distances.append(distance(one.tokens, self._banks[one.block, one.window]))
        zero_shot = _scores(torch.stack(logits).sum(dim=0).sigmoid(), tokens.grid)
        return self._combined(_memory_scores(distances, tokens.grid), zero_shot) if distances else zero_shot

    def remember(self, tokens: Tokens) -> None:
        """Keep the aggregated patches of normal images; of no image, forget what there was."""
        kept = (one for one in self._sets(tokens, adapt=False) if one.block in self.options.memory_layers)
        seen = len(tokens.layers[0]) > 0
        self._banks = {(one.block, one.window): bank_of(one.tokens) for one in kept} if seen else {}

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Make the text features, which are the same for all classes."""
        self._remembered_text()

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """The four components on one batch; gradients reach the prefix through the frozen text tower."""
        return weighted(self._loss_terms(tokens, batch), self.options)

    def text_features(self) -> Tensor:
        """(2, joint) unit rows, normal and abnormal; independent of the images."""
        prompts, text = self.network.prompts, self.backbone.text
        states = text(prompts())  # (2, length, width)
        ends = states[torch.arange(2, device=states.device), prompts.eot]
        return normalize(ends @ text.projection, dim=-1)

    def _sets(self, tokens: Tokens, *, adapt: bool = True) -> Iterator[TokenSet]:
        """Every window of every tapped layer, by layer, then window; the tokens are frozen, so no gradient.

        What the adapter makes of a token first is linear: with `adapt` it is made once a layer and aggregated, too.
        """
        options = self.options
        for block, layer in zip(options.blocks, tokens.layers, strict=True):
            wanted = adapt and options.adapter and block in options.layers
            ready = self.network.adapter.project(layer) if wanted else None
            for window in options.windows:
                with torch.no_grad(), in_single(layer):
                    made = self._aggregated(layer, tokens.grid, window)
                if ready is None:
                    yield TokenSet(block, window, made, None)
                else:
                    rows = self._aggregated(ready.rows, tokens.grid, window)
                    yield TokenSet(block, window, made, ready._replace(rows=rows))

    def _aggregated(self, field: Tensor, grid: int, window: int) -> Tensor:
        options = self.options
        return aggregate(field, grid, window, options.window_sigma, renormalise=options.renormalise_border)

    def _projected(self, one: TokenSet) -> Tensor:
        """Adapter, then CLIP's final norm and projection: (batch, 1 + patches, joint)."""
        vision = self.backbone.vision
        projected: Tensor = vision.norm(self._adapted(one).float()) @ vision.projection
        return projected

    def _adapted(self, one: TokenSet) -> Tensor:
        return one.tokens if one.ready is None else self.network.adapter.attend(one.tokens, one.ready)

    def _logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Abnormal against normal, (batch, 1 + patches): the two-way softmax of sums is the sigmoid of their sum."""
        with in_single(features):
            cosines: Tensor = normalize(features.float(), dim=-1) @ (text[1] - text[0])
        return cosines / self.options.temperature

    def _combined(self, memory: Scores, zero_shot: Scores) -> Scores:
        options = self.options
        return Scores(
            memory.image + options.image_alpha * zero_shot.image, memory.pixel + options.pixel_alpha * zero_shot.pixel
        )

    def _loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        text, logits, aligned = self.text_features(), [], []
        target = patch_target(batch.masks, tokens.grid).flatten(1)
        for one in self._sets(tokens):
            if one.block in self.options.layers:
                features = self._projected(one)
                logits.append(self._logits(features, text))
                if self.options.alignment != "none":
                    aligned.append(alignment(features[:, 1:], target, self.options))
        scores = _scores(torch.stack(logits).sum(dim=0).sigmoid(), tokens.grid)
        mean = torch.stack(aligned).mean() if aligned else scores.image.new_zeros(())
        return loss_terms(scores, mean, batch, self.options)

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """The target of the patches, and the losses before their weights, by the names of the parity fixtures."""
        terms = {f"loss_{name}": term for name, term in self._loss_terms(tokens, batch).items()}
        return {"target_grid": patch_target(batch.masks, tokens.grid), **terms}

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Every intermediate by the names of the parity fixtures; `lNN` is the tapped block, `rN` the window."""
        text, scores = self.text_features(), self.score(tokens, class_names)
        named = {"text_features": text, "score": scores.image, "map_grid": scores.pixel}
        named |= {f"vision_tokens_l{block:02d}": z for block, z in zip(self.options.blocks, tokens.layers, strict=True)}
        for one in self._sets(tokens):
            named[f"aggregated_{one.label}"] = one.tokens
            named[f"projected_{one.label}"] = self._projected(one)
            if self.options.adapter:
                named[f"adaptor_{one.label}"] = self._adapted(one)
        return named | dict(self._memory_stages(tokens, text))

    def _memory_stages(self, tokens: Tokens, text: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Both parts of the few-shot result, where there is a memory."""
        if not self._banks:
            return
        sets = list(self._sets(tokens))
        for (block, window), bank in self._banks.items():
            yield f"bank_l{block:02d}_r{window}", bank
        banked = [(one, self._banks.get((one.block, one.window))) for one in sets]
        memory = _memory_scores([distance(one.tokens, bank) for one, bank in banked if bank is not None], tokens.grid)
        logits = [self._logits(self._projected(one), text) for one in sets if one.block in self.options.layers]
        zero_shot = _scores(torch.stack(logits).sum(dim=0).sigmoid(), tokens.grid)
        for name, part in (("memory", memory), ("zero_shot", zero_shot)):
            yield f"{name}_score", part.image
            yield f"{name}_map_grid", part.pixel


def _scores(probability: Tensor, grid: int) -> Scores:
    """(batch, 1 + patches): the class token speaks for the image."""
    return Scores(probability[:, 0], probability[:, 1:].reshape(-1, grid, grid))


def _memory_scores(distances: Sequence[Tensor], grid: int) -> Scores:
    """Distances averaged over layers and windows; the largest of a map speaks for the image."""
    pixel = torch.stack(list(distances)).mean(dim=0).view(-1, grid, grid)
    return Scores(pixel.amax(dim=(1, 2)), pixel)
