"""FAPrompt: fine-grained abnormality prompts for zero-shot anomaly detection (ICCV 2025).

The figure of the paper, left to right. Text: one normal sentence and ten abnormal ones that share its learned tokens →
mean of the abnormal features → text features. First pass: patches of the value-value path → map. Prior: ten patches of
the image → a vector that is added to the abnormal tokens. Second pass: abnormal sentences of this image → map and image
probability. The map is the mean of both passes; the image score also has their largest patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.errors import UsageError
from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.faprompt.losses import loss_terms, weighted
from zsadbench_methods.faprompt.passes import Passes
from zsadbench_methods.faprompt.prior import PriorNetwork
from zsadbench_methods.faprompt.prompts import CompoundPrompts
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.faprompt.options import Options


class Head(nn.Module):
    """All trained parameters: the prompts and the prior network."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        self.prompts = CompoundPrompts(backbone.text, config.text.layers, options)
        self.prior = PriorNetwork(options.selected, config.embed_dim, options.prior_width, config.text.width)


class FAPrompt:
    """The detector: `score` for inference, `loss` for training; `stages.py` adds the intermediate results.

    Raises:
        UsageError: an image has fewer patches than are to be selected.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        if options.selected > backbone.grid**2:
            raise UsageError(
                f"option 'selected' is {options.selected}, but an image of {backbone.image_size} pixels has only "
                f"{backbone.grid**2} patches; use larger images"
            )
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_sentences = ParameterCache(self.sentence_features, self.network.prompts)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) and maps (batch, grid, grid), in [0, 1]. The class names are not used."""
        passes = self.passes(tokens, self._cached_sentences())
        pixel = (passes.first_map + passes.second_map) / 2  # (batch, patches)
        return Scores(passes.image, pixel.view(-1, tokens.grid, tokens.grid))

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute the losses on one batch; gradients reach the prompts through the frozen text tower."""
        return weighted(self.loss_terms(tokens, batch), self.options)

    def loss_terms(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses before their weights: scalars by name."""
        return loss_terms(self.passes(tokens, self.sentence_features()), tokens.grid, batch, self.options)

    def passes(self, tokens: Tokens, sentences: Tensor) -> Passes:
        """Run the figure on one batch; `sentences`, (1 + prompts, joint), are the `sentence_features`."""
        normal, abnormal = sentences[0], sentences[1:]
        image = unit(self.image_features(tokens))  # (batch, joint)
        patches = unit(self.patch_features(tokens)[:, 1:])  # (batch, patches, joint)
        text = average(normal, abnormal)  # (2, joint)
        first_map = self.logits(patches, text).sigmoid()  # (batch, patches)
        selected = self.select(patches, first_map)  # (batch, selected, joint)
        prior = self.network.prior(selected).float()  # (batch, text width)
        conditioned = average(normal, self.abnormal_features(prior))  # (batch, 2, joint)
        second_map = self.logits(patches, conditioned).sigmoid()  # (batch, patches)
        logit = self.logits(image.unsqueeze(1), conditioned).squeeze(1)  # (batch,)
        return Passes(abnormal, text, first_map, selected, prior, conditioned, second_map, logit)

    def sentence_features(self) -> Tensor:
        """Encode the sentences without a prior: (1 + prompts, joint), not normalised, row 0 normal."""
        prompts = self.network.prompts
        normal = self._encode(prompts.normal_sentence(), prompts.normal_end)  # (1, joint)
        none = torch.zeros_like(prompts.normal[:1])
        return torch.cat([normal, self.abnormal_features(none)[0]])

    def abnormal_features(self, prior: Tensor) -> Tensor:
        """Encode the abnormal sentences of every image: (batch, prompts, joint), not normalised."""
        prompts = self.network.prompts
        features = self._encode(prompts.abnormal_sentences(prior), prompts.abnormal_end)  # (batch · prompts, joint)
        return features.float().view(len(prior), self.options.prompts, -1)

    def _encode(self, sentences: Tensor, end: int) -> Tensor:
        text = self.backbone.text
        states = text(sentences, deep=self.network.prompts.deep.for_sentences(len(sentences)))  # (n, length, width)
        features: Tensor = states[:, end] @ text.projection  # (n, joint)
        return features

    def image_features(self, tokens: Tokens) -> Tensor:
        """Project the class token of the last block: (batch, joint), not normalised; as published without norm."""
        vision = self.backbone.vision
        cls = tokens.layers[-1][:, 0]  # (batch, width)
        return (vision.norm(cls) if self.options.cls_norm else cls) @ vision.projection

    def patch_features(self, tokens: Tokens) -> Tensor:
        """Put the value-value path through the final norm and projection: (batch, 1 + patches, joint), not normalised.

        The class token comes first.
        """
        vision = self.backbone.vision
        features: Tensor = vision.norm(tokens.value_layers[0]) @ vision.projection
        return features

    def logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compare unit features with both texts: the two-way softmax is the sigmoid of this logit.

        (batch, n, joint), with (2, joint) or (batch, 2, joint) → (batch, n).
        """
        difference = (text[..., 1, :] - text[..., 0, :]).unsqueeze(-1)  # (…, joint, 1)
        with single_precision(features):
            return (features @ difference).squeeze(-1) / self.options.temperature

    def select(self, patches: Tensor, first_map: Tensor) -> Tensor:
        """Select the patches that the prior is computed from: (batch, patches, joint) → (batch, selected, joint).

        The published code takes the first ones in raster order, whatever their scores; the paper the most abnormal.
        """
        if self.options.select == "first":
            return patches[:, : self.options.selected]
        chosen = first_map.topk(self.options.selected, dim=1).indices  # (batch, selected)
        return patches.take_along_dim(chosen.unsqueeze(-1), dim=1)


def unit(features: Tensor) -> Tensor:
    """Give the last axis unit length, in single precision."""
    return normalize(features.float(), dim=-1)


def average(normal: Tensor, abnormal: Tensor) -> Tensor:
    """Average the abnormal sentences, then normalise: (joint,) and (…, prompts, joint) → (…, 2, joint) unit rows."""
    mean = abnormal.mean(dim=-2)  # (…, joint)
    return unit(torch.stack([normal.expand_as(mean), mean], dim=-2))
