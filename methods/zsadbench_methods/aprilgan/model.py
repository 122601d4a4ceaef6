"""APRIL-GAN: linear layers on tapped blocks for zero-shot, a memory of patches for few-shot (VAND challenge, 2023).

The figure of the paper, left to right. Text: states in captions → unit features → mean per side → unit. Image: patches
of four blocks → a trained linear layer each → cosines with both sides → enlarged logits → softmax → sum of the layers.
Class token → CLIP's own projection → image score, which no trained parameter changes. Few-shot: the distance of raw
patches to those of a few normal images is added to the map, and its maximum to the image score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.aprilgan.losses import loss_terms
from zsadbench_methods.aprilgan.prompts import sentences_of
from zsadbench_methods.parts.ensembles import sentence_features
from zsadbench_methods.parts.nearest import bank_of, cosine_distance
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.aprilgan.options import Options

LARGEST_DISTANCE = 2.0  # 1 − cos
CLASS_TOKEN, MAP_MAX = "class_token", "map_max"  # parts of the image score


class Head(nn.Module):
    """All trained parameters: one linear layer per tapped block, from the width of the tower to the joint space."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        self.linear = nn.ModuleList(nn.Linear(config.vision.width, config.embed_dim) for _ in options.layers)


class APRILGAN:
    """The detector: `score` for inference, `remember` for few shots, `loss` for training.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_text: dict[str, Tensor] = {}  # class name → (2, joint)
        self._banks: dict[int, Tensor] = {}  # block → unit rows of normal patches

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,), and maps at the size of the input, (batch, size, size).

        A map is a sum over layers: of probabilities, and with remembered images of distances too.
        """
        text = self.text_features(class_names)  # (batch, 2, joint)
        image = self.class_score(tokens, text)
        pixel = torch.stack(self.layer_maps(tokens, text)).sum(dim=0)
        if not self._banks:
            return Scores(image, pixel)
        pixel = pixel + torch.stack(self.distance_maps(tokens)).sum(dim=0)
        share, largest = self.options.map_share, len(self.options.layers) + LARGEST_DISTANCE * len(self._banks)
        return Scores((1 - share) * image + share * pixel.amax(dim=(1, 2)) / largest, pixel)

    def image_parts(self, tokens: Tokens, class_names: Sequence[str], scores: Scores) -> Mapping[str, Tensor]:
        """Compute the score of the class token and the largest pixel of the map, (batch,) each."""
        text = self.text_features(class_names)
        return {CLASS_TOKEN: self.class_score(tokens, text), MAP_MAX: scores.pixel.amax(dim=(1, 2))}

    def remember(self, tokens: Tokens) -> None:
        """Remember the patches of these normal images instead of earlier ones; without any, forget all."""
        known = len(tokens.layers[0]) > 0
        layers = zip(self.options.blocks, tokens.layers, strict=True)
        kept = {block: layer for block, layer in layers if block in self.options.memory_layers}
        self._banks = {block: bank_of(layer[:, 1:].float()) for block, layer in kept.items()} if known else {}

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute both terms of the loss of every layer on one batch."""
        maps = self.layer_maps(tokens, self.text_features(batch.class_names))
        return loss_terms(maps, batch.masks, self.options)

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features of these classes."""
        self.text_features(class_names)

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        """Average unit features of all sentences of both sides, (names, 2, joint) unit rows, normal and abnormal."""
        for name in dict.fromkeys(class_names):
            if name not in self._cached_text:
                self._cached_text[name] = self._average_sentences(name)
        return torch.stack([self._cached_text[name] for name in class_names])

    def _average_sentences(self, class_name: str) -> Tensor:
        text = self.backbone.text
        with torch.inference_mode(mode=False), torch.no_grad(), single_precision(text.projection):
            sides = [normalize(sentence_features(text, side), dim=-1) for side in sentences_of(class_name)]
            return normalize(torch.stack([side.mean(dim=0) for side in sides]), dim=-1)

    def global_features(self, tokens: Tokens) -> Tensor:
        """Compute CLIP's image features, (batch, joint), not normalised."""
        vision = self.backbone.vision
        features: Tensor = vision.norm(tokens.layers[-1][:, 0]) @ vision.projection
        return features

    def class_score(self, tokens: Tokens, text: Tensor) -> Tensor:
        """Compute the probability of "abnormal" of the class token, (batch,)."""
        features = self.global_features(tokens).unsqueeze(1)  # (batch, 1, joint)
        return self.abnormal_logits(features, text).sigmoid().squeeze(1)

    def abnormal_logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compute the logit of "abnormal" minus that of "normal": (batch, n, joint), (batch, 2, joint) → (batch, n).

        The two-way softmax is the sigmoid of the difference, before and after enlarging, which is linear.
        """
        with single_precision(features):
            difference = (text[:, 1] - text[:, 0]).unsqueeze(2)  # (batch, joint, 1)
            return self.options.logit_scale * (normalize(features.float(), dim=-1) @ difference).squeeze(2)

    def project(self, tokens: Tokens) -> list[Tensor]:
        """Apply the linear layer of every tapped block to its patches: (batch, patches, joint) each."""
        taken = [tokens.layers[self.options.blocks.index(block)] for block in self.options.layers]
        return [linear(layer[:, 1:]) for linear, layer in zip(self.network.linear, taken, strict=True)]

    def layer_maps(self, tokens: Tokens, text: Tensor) -> list[Tensor]:
        """Compute the probability of "abnormal" per layer at the size of the input, (batch, size, size) each."""
        logits = [self.abnormal_logits(features, text) for features in self.project(tokens)]  # (batch, patches)
        return [self.enlarge(logit.view(-1, tokens.grid, tokens.grid)).sigmoid() for logit in logits]

    def distances(self, tokens: Tokens) -> list[Tensor]:
        """Compute `1 − cos` of every patch to the nearest remembered one, per layer: (batch, grid, grid) each."""
        grid, blocks = tokens.grid, self.options.blocks
        found = [
            cosine_distance(tokens.layers[blocks.index(block)][:, 1:].float(), bank)
            for block, bank in self._banks.items()
        ]
        return [distance.view(-1, grid, grid) for distance in found]

    def distance_maps(self, tokens: Tokens) -> list[Tensor]:
        """Enlarge the distances to the size of the input, (batch, size, size) each."""
        return [self.enlarge(distance) for distance in self.distances(tokens)]

    def enlarge(self, grid: Tensor) -> Tensor:
        """Enlarge maps bilinearly to the size of the input: (batch, grid, grid) → (batch, size, size)."""
        size = (self.backbone.image_size,) * 2
        corners = self.options.corners
        return interpolate(grid.float().unsqueeze(1), size, mode="bilinear", align_corners=corners).squeeze(1)
