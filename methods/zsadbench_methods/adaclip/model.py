"""AdaCLIP: CLIP with hybrid learnable prompts for zero-shot anomaly detection (ECCV 2024).

The figure of the paper, left to right. Image → plain image encoder → dynamic prompts, added to static ones. Text:
states in captions → text encoder with prompts, once per image → mean per side. Image → image encoder with prompts
→ patches of four blocks → a linear layer each → cosines with both sides → mean of the layers → map. Class token →
linear layer → mixed with the patches that look most abnormal (hybrid semantic fusion) → image score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from zsadbench.clip import map_taps
from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.adaclip.encoders import TEXT_FIRST, encode_image, encode_sentences, project
from zsadbench_methods.adaclip.fusion import Clustered, cluster_patches, fused_feature
from zsadbench_methods.adaclip.losses import loss_terms
from zsadbench_methods.adaclip.prompts import HybridPrompts
from zsadbench_methods.adaclip.sentences import sentences_of
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.adaclip.options import Options

SOURCE, OF_VISION, OF_TEXT = "dynamic_prompt_source", "dynamic_prompts_vision", "dynamic_prompts_text"
CLASS_TOKEN, TEXT = "class_token", "text_features"


class Head(nn.Module):
    """All trained parameters: the prompts of both towers, a linear layer per tapped block, one of the class token."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        joint, vision, text = config.embed_dim, config.vision, config.text
        prompted = options.prompted
        self.vision = HybridPrompts(joint, vision.width, vision.layers, 1, options, active=prompted != "text")
        self.text = HybridPrompts(joint, text.width, text.layers, TEXT_FIRST, options, active=prompted != "vision")
        self.patches = nn.ModuleList(nn.Linear(vision.width, joint) for _ in options.layers)
        self.class_token = nn.Linear(joint, joint)


class AdaCLIP:
    """The detector: `encode` works inside both encoders, `score` compares, `loss` is for training.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.blocks = map_taps(options.layers, backbone.spec.config.vision.layers)
        self.network = Head(backbone, options).to(backbone.device).eval()
        self._cached_ids: dict[str, tuple[Tensor, int]] = {}  # class name → ids, and the number of normal sentences

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode images and, once per image, the sentences of its class.

        The layers are those of the pass with prompts, prompts removed. The parts are `class_token` (batch, joint) of
        this pass, projected, and `text_features` (batch, 2, joint), unit rows, normal and abnormal; with dynamic
        prompts also their source (batch, joint), which is the image feature of the plain pass, and themselves.
        """
        walk, network, rounded = self.backbone.vision.walk, self.network, self.options.prompt_half
        normed = walk.first_norm(walk.embed(images))
        parts: dict[str, Tensor] = {}
        if self.options.prompts != "static":
            with torch.no_grad():
                source = project(walk, walk.run(normed)[:, 0])
            dynamic = {OF_VISION: network.vision.from_image(source), OF_TEXT: network.text.from_image(source)}
            parts = {SOURCE: source, **dynamic}
        prompts = network.vision(parts.get(OF_VISION), len(images))
        layers, cls = encode_image(walk, normed, prompts, self.blocks, rounded=rounded)
        text = self.encode_texts(network.text(parts.get(OF_TEXT), len(images)), class_names)
        return Tokens(layers, walk.grid, parts={**parts, CLASS_TOKEN: cls, TEXT: text})

    def encode_texts(self, prompts: Sequence[Tensor], class_names: Sequence[str]) -> Tensor:
        """Average unit features of all sentences of both sides, (batch, 2, joint) unit rows, normal and abnormal.

        `prompts`, (batch, length, width) each, differ per image; images of one class are encoded together.
        """
        features: list[Tensor] = [torch.empty(0)] * len(class_names)
        for name in dict.fromkeys(class_names):
            rows = [row for row, other in enumerate(class_names) if other == name]
            ids, normal = self._ids_of(name)
            own, rounded = [prompt[rows] for prompt in prompts], self.options.prompt_half
            raw = encode_sentences(self.backbone.text, ids, own, len(rows), rounded=rounded)
            unit = normalize(raw, dim=-1)  # (rows, sentences, joint)
            sides = torch.stack([unit[:, :normal].mean(dim=1), unit[:, normal:].mean(dim=1)], dim=1)
            for row, found in zip(rows, normalize(sides, dim=-1), strict=True):
                features[row] = found
        return torch.stack(features)

    def _ids_of(self, class_name: str) -> tuple[Tensor, int]:
        """Tokenize the sentences of a class, once; tokens after the last end token of all are left out."""
        if class_name not in self._cached_ids:
            normal, abnormal = sentences_of(class_name)
            ids = self.backbone.text.tokenize([*normal, *abnormal])  # (sentences, context)
            self._cached_ids[class_name] = ids[:, : int(ids.argmax(dim=1).max()) + 1], len(normal)
        return self._cached_ids[class_name]

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,), and maps at the size of the input, (batch, size, size); both from 0 to 1.

        The texts are among the tokens, so the class names are not used.
        """
        with single_precision(tokens.parts[TEXT]):
            features = self.patch_features(tokens)
            logits = self.abnormal_logits(features, tokens.parts[TEXT]).mean(dim=1)  # (batch, grid²)
            pixel = self.enlarge(logits.view(-1, tokens.grid, tokens.grid)).sigmoid()
            return Scores(self.image_score(tokens, features, logits.sigmoid()), pixel)

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute every term of the loss on one batch."""
        with single_precision(tokens.parts[TEXT]):
            features = self.patch_features(tokens)
            logits = self.abnormal_logits(features, tokens.parts[TEXT])  # (batch, layers, grid²)
            grids = logits.view(*logits.shape[:2], tokens.grid, tokens.grid).unbind(dim=1)
            image = self.image_score(tokens, features, logits.mean(dim=1).sigmoid())
            return loss_terms(image, [self.enlarge(grid).sigmoid() for grid in grids], batch, self.options)

    def patch_features(self, tokens: Tokens) -> Tensor:
        """Apply the linear layer of every tapped block to its patches: (batch, layers, grid², joint), unit rows."""
        pairs = zip(self.network.patches, tokens.layers, strict=True)
        return normalize(torch.stack([linear(layer[:, 1:]) for linear, layer in pairs], dim=1), dim=-1)

    def class_feature(self, tokens: Tokens) -> Tensor:
        """Apply the linear layer of the class token: (batch, joint), unit rows."""
        return normalize(self.network.class_token(tokens.parts[CLASS_TOKEN]), dim=-1)

    def abnormal_logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compute the logit of "abnormal" minus that of "normal": (batch, …, joint), (batch, 2, joint) → (batch, …).

        The two-way softmax is the sigmoid of the difference, before and after means and enlarging, which are linear.
        """
        difference = (text[:, 1] - text[:, 0]).unsqueeze(2)  # (batch, joint, 1)
        flat = features.reshape(len(features), -1, features.shape[-1]) @ difference
        return self.options.logit_scale * flat.view(features.shape[:-1])

    def image_score(self, tokens: Tokens, features: Tensor, probability: Tensor) -> Tensor:
        """Compute the probability of "abnormal" of the class token, mixed with abnormal patches: (batch,).

        `features` are those of patches, (batch, layers, grid², joint), and `probability` is theirs, (batch, grid²).
        """
        mixed, share = self.class_feature(tokens), self.options.hsf_share
        if self.options.hsf != "none":
            fused = fused_feature(features, self.cluster(features, probability))
            mixed = normalize(share * fused + (1 - share) * mixed, dim=-1)
        return self.abnormal_logits(mixed, tokens.parts[TEXT]).sigmoid()

    def cluster(self, features: Tensor, probability: Tensor) -> Clustered:
        """Choose and cluster patches for the fusion."""
        return cluster_patches(features, probability, self.options)

    def enlarge(self, grids: Tensor) -> Tensor:
        """Resize to the size of the input, bilinear: (batch, grid, grid) → (batch, size, size)."""
        size = (self.backbone.image_size,) * 2
        full = interpolate(grids.unsqueeze(1), size, mode="bilinear", align_corners=self.options.corners)
        return full.squeeze(1)
