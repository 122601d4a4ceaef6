"""AA-CLIP: Anomaly-Aware CLIP, for zero-shot anomaly detection (CVPR 2025).

The figure of the paper, in two stages. Text: sentences → text encoder with adapters → new head → anchors of both sides,
learned against the patches of the frozen image encoder. Image: image encoder with adapters → patches of four blocks →
linear layer each → cosines with the anchors → maps; patches of the last block → another linear layer → mean → image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from zsadbench.clip import map_taps
from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.aaclip.augmentation import jitter_colours, move_batch
from zsadbench_methods.aaclip.encoders import (
    encode_image,
    encode_sentences,
    encode_with_values,
    leaky_linear,
    plain_linear,
)
from zsadbench_methods.aaclip.losses import image_term, map_terms, orthogonality
from zsadbench_methods.aaclip.maps import blur, enlarge
from zsadbench_methods.aaclip.names import DETECTION, IMAGE_STAGE, MAP_MAX, MAP_MIN, TEXT_STAGE
from zsadbench_methods.aaclip.prompts import sentences_of
from zsadbench_methods.parts.parameter_cache import ParameterCache
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.aaclip.options import Options

GLOBAL = "global_features"


class TextPart(nn.Module):
    """What the text stage trains: an adapter per block, and the head in place of CLIP's projection."""

    def __init__(self, width: int, joint: int, adapters: int) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(leaky_linear(width, width) for _ in range(adapters))
        self.head = leaky_linear(width, joint)


class ImagePart(nn.Module):
    """What the image stage trains: an adapter per block, a head per tapped block, and the head of the image."""

    def __init__(self, width: int, joint: int, options: Options) -> None:
        super().__init__()
        head = leaky_linear if options.relu else plain_linear
        self.adapters = nn.ModuleList(leaky_linear(width, width) for _ in range(options.image_adapters))
        self.patches = nn.ModuleList(head(width, joint) for _ in options.layers)
        self.image = head(width, joint)


class Network(nn.Module):
    """All trained parameters, of both stages."""

    def __init__(self, backbone: Backbone, options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        self.text = TextPart(config.text.width, config.embed_dim, options.text_adapters)
        self.image = ImagePart(config.vision.width, config.embed_dim, options)


class AACLIP:
    """The detector: `begin_stage` chooses what is trained, `encode` works inside the image encoder, `score` compares.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        depth = backbone.spec.config.vision.layers
        self.blocks = map_taps(tuple(sorted({*options.layers, 24})), depth)
        (self.surgery_from,) = map_taps((options.surgery_from,), depth)
        self.network = Network(backbone, options).to(backbone.device).eval()
        self._cached_text: dict[str, ParameterCache] = {}
        self.begin_stage(IMAGE_STAGE)

    # --- training stages ---

    def begin_stage(self, stage: str) -> None:
        """Train the text or the image part; adapters of blocks that the encoder lacks are never trained."""
        self.stage = stage
        config = self.backbone.spec.config
        self.network.text.requires_grad_(stage == TEXT_STAGE)
        self.network.image.requires_grad_(stage == IMAGE_STAGE)
        self.network.text.adapters[config.text.layers :].requires_grad_(False)
        self.network.image.adapters[config.vision.layers :].requires_grad_(False)

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """Change colours, in the image stage alone, and places of the images of a batch."""
        if not self.options.augment:
            return batch
        coloured = jitter_colours(batch.images, generator) if self.stage == IMAGE_STAGE else batch.images
        images, masks = move_batch(coloured, batch.masks, generator)
        return batch._replace(images=images, masks=masks)

    # --- encoders ---

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode images: in the text stage by the frozen encoder, otherwise by that with adapters.

        The layers are those after the tapped blocks, the last block among them.
        """
        walk = self.backbone.vision.walk
        if self.stage == TEXT_STAGE:
            with torch.no_grad():
                return self.encode_frozen(images)
        return Tokens(
            encode_image(walk, images, list(self.network.image.adapters), self.options.image_share, self.blocks),
            walk.grid,
        )

    def encode_frozen(self, images: Tensor) -> Tokens:
        """Encode images twice: patches with value-value attention, and CLIP's own feature of the image.

        The latter is the part `global_features`, (batch, joint), not normalised.
        """
        walk, options = self.backbone.vision.walk, self.options
        plain = encode_image(walk, images, (), 0.0, self.blocks)
        layers = plain
        if options.surgery != "none":
            across = options.surgery == "official"
            layers = encode_with_values(walk, images, self.surgery_from, self.blocks, across_batch=across)
        return Tokens(layers, walk.grid, parts={GLOBAL: self._project(plain[-1][:, 0])})

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the anchors of these classes."""
        self.anchors(class_names)

    def anchors(self, class_names: Sequence[str]) -> Tensor:
        """Return the text features, (names, 2, joint) unit rows, normal and abnormal; without gradient, cached."""
        for name in dict.fromkeys(class_names):
            if name not in self._cached_text:
                self._cached_text[name] = ParameterCache(partial(self._encode_class, name), self.network.text)
        known = {name: self._cached_text[name]() for name in dict.fromkeys(class_names)}
        return torch.stack([known[name] for name in class_names])

    def _encode_class(self, class_name: str) -> Tensor:
        """Encode the sentences of a class: unit features of all of them, the mean per side, (2, joint) unit rows."""
        sides, part = sentences_of(class_name), self.network.text
        text, share = self.backbone.text, self.options.text_share
        raw = encode_sentences(text, [*sides[0], *sides[1]], list(part.adapters), part.head, share)
        unit, normal = normalize(raw, dim=-1), len(sides[0])
        return normalize(torch.stack([unit[:normal].mean(dim=0), unit[normal:].mean(dim=0)]), dim=-1)

    # --- scores ---

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) from 0 to 1, and maps at the size of the input, (batch, size, size).

        The image score mixes what `image_parts` gives on fixed scales: of the maximum of the map, the mean cosine
        difference of the layers over its bound, and the score of the image; in the medical domain the former alone.
        """
        with single_precision(tokens.layers[0]):
            text, options = self.anchors(class_names), self.options
            grids = [blur(grid, options.domain) for grid in self.layer_grids(tokens, text)]
            pixel = self.enlarge(torch.stack(grids)).sum(dim=0)
            layers = len(options.layers)
            difference = (2 * pixel.amax(dim=(1, 2)) / layers - 1) / options.logit_scale  # from −2 to 2
            image = (difference + 2) / 4
            if options.domain == "industrial":
                share = options.score_share
                image = (1 - share) * image + share * self.image_score(self.image_feature(tokens), text)
            return Scores(image, pixel)

    def image_parts(self, tokens: Tokens, class_names: Sequence[str], scores: Scores) -> Mapping[str, Tensor]:
        """Return what the finishing step needs of each image: both ends of the map, and the score of the image."""
        with single_precision(tokens.layers[0]):
            raw = self.image_score(self.image_feature(tokens), self.anchors(class_names))
        return {MAP_MIN: scores.pixel.amin(dim=(1, 2)), MAP_MAX: scores.pixel.amax(dim=(1, 2)), DETECTION: raw}

    def layer_grids(self, tokens: Tokens, text: Tensor) -> list[Tensor]:
        """Compute `(z_a + 1 − z_n) / 2` per layer, z = 100·cos: (batch, grid, grid) each, not blurred."""
        grids = [self.abnormal_logits(features, text) for features in self.patch_features(tokens)]
        return [((logits + 1) / 2).view(-1, tokens.grid, tokens.grid) for logits in grids]

    def abnormal_logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Compute the logit of "abnormal" minus that of "normal": (batch, n, joint), (batch, 2, joint) → (batch, n)."""
        difference = (text[:, 1] - text[:, 0]).unsqueeze(2)  # (batch, joint, 1)
        return self.options.logit_scale * (features @ difference).squeeze(2)

    def taps(self, tokens: Tokens) -> list[Tensor]:
        """Apply CLIP's final norm to the patches of the layers with a head: (batch, grid², width) each."""
        numbers = sorted({*self.options.layers, 24})
        norm = self.backbone.vision.walk.final_norm
        return [norm(tokens.layers[numbers.index(block)][:, 1:]) for block in self.options.layers]

    def patch_features(self, tokens: Tokens) -> list[Tensor]:
        """Apply the head of every tapped block: (batch, grid², joint) each, unit rows."""
        pairs = zip(self.network.image.patches, self.taps(tokens), strict=True)
        return [normalize(head(patches), dim=-1) for head, patches in pairs]

    def image_feature(self, tokens: Tokens) -> Tensor:
        """Average the unit features of all patches of the last block: (batch, joint), shorter than one."""
        last = self.backbone.vision.walk.final_norm(tokens.layers[-1][:, 1:])
        return normalize(self.network.image.image(last), dim=-1).mean(dim=1)

    def image_score(self, feature: Tensor, text: Tensor) -> Tensor:
        """Compute `(d · t_a + 1) / 2`: (batch, joint), (batch, 2, joint) → (batch,)."""
        return ((text[:, 1:] @ feature.unsqueeze(2)).view(-1) + 1) / 2

    def enlarge(self, grids: Tensor) -> Tensor:
        """Resize maps to the size of the input: (layers, batch, grid, grid) → (layers, batch, size, size)."""
        size = self.backbone.image_size
        return torch.stack([enlarge(grid, size, corners=self.options.corners) for grid in grids])

    # --- losses ---

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute every term of the loss of the present stage on one batch."""
        with single_precision(tokens.layers[0]):
            return self._text_loss(tokens, batch) if self.stage == TEXT_STAGE else self._image_loss(tokens, batch)

    def _text_loss(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute the terms of the text stage; as published, only the last layer counts."""
        terms, text = self.text_terms(tokens, batch)
        options = self.options
        counted = options.layers if options.text_layers == "all" else options.layers[-1:]
        kept = {name: term for name, term in terms.items() if name.startswith(tuple(f"l{b:02d}" for b in counted))}
        weight = options.orthogonality_weight * len(counted)
        return {**kept, "orthogonality_weighted": weight * orthogonality(text)}

    def text_terms(self, tokens: Tokens, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the terms of all layers in the text stage, and the texts with gradients, (batch, 2, joint)."""
        known = {name: self._encode_class(name) for name in dict.fromkeys(batch.class_names)}
        text = torch.stack([known[name] for name in batch.class_names])
        whole = normalize(tokens.parts[GLOBAL], dim=-1).unsqueeze(1)
        features = [frozen + whole for frozen in self.frozen_features(tokens)]
        return map_terms(self.probabilities(features, text, tokens.grid), batch.masks, self.options), text

    def frozen_features(self, tokens: Tokens) -> list[Tensor]:
        """Project the patches of every layer as CLIP does: (batch, grid², joint) each, unit rows."""
        project = self.backbone.vision.walk.project
        return [normalize(project(patches), dim=-1) for patches in self.taps(tokens)]

    def _image_loss(self, tokens: Tokens, batch: Batch) -> dict[str, Tensor]:
        """Compute the terms of the image stage: of the image, and of every layer."""
        text, options = self.anchors(batch.class_names), self.options
        image = image_term(self.image_feature(tokens), text, batch.labels, options.image_scale)
        maps = self.probabilities(self.patch_features(tokens), text, tokens.grid)
        return {"cross_entropy": image, **map_terms(maps, batch.masks, options)}

    def probabilities(self, features: Sequence[Tensor], text: Tensor, grid: int) -> list[Tensor]:
        """Compute the probability of "abnormal" per layer, (batch, size, size) each.

        The two-way softmax is the sigmoid of the difference of the logits, which are enlarged before, not blurred.
        """
        logits = torch.stack([self.abnormal_logits(each, text).view(-1, grid, grid) for each in features])
        return list(self.enlarge(logits).sigmoid())

    def _project(self, states: Tensor) -> Tensor:
        walk = self.backbone.vision.walk
        with single_precision(states):
            return walk.project(walk.final_norm(states))
