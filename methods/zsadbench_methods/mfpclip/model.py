"""MFP-CLIP: multi-form prompts for zero-shot industrial anomaly detection (arXiv 2025), from the text of the paper.

The figure of the paper, left to right. Image → ResNet-50 → a feature, which changes both sentences (I2TP) and gives
prompt tokens to the first stage of the image encoder (SP). Patches of four stages → an adapter each → mean over
neighbours (MPFA) → cosines with both texts → map, the mean of the stages. The image times its map → embedded beside the
image → a linear layer → the image encoder again (MP) → map and image score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, normalize, pad

from zsadbench.clip import map_taps
from zsadbench.errors import UsageError
from zsadbench.types import Batch, Losses, Scores, Tokens
from zsadbench_methods.mfpclip.losses import loss_terms
from zsadbench_methods.mfpclip.prompting import Fuse, SelfPrompts, TextPrompting, encode_image
from zsadbench_methods.mfpclip.resnet import Colours, ResNet
from zsadbench_methods.mfpclip.weights import NETWORK, extra_weights
from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.mfpclip.options import Options

FEATURE, TEXT, COARSE = "resnet_feature", "text_features", "coarse"
STATES = ("normal", "abnormal")
ACTIVATIONS = {"leaky_relu": nn.LeakyReLU, "relu": nn.ReLU, "gelu": nn.GELU}


class Pass(nn.Module):
    """The trained parts of one pass through the image encoder: self prompts, and an adapter per tapped block."""

    def __init__(self, backbone: Backbone, blocks: Sequence[int], options: Options) -> None:
        super().__init__()
        config = backbone.spec.config
        prompted = range(2, blocks[options.sp_stages - 1] + 1) if options.sp_stages else ()
        self.sp = SelfPrompts(config.vision.width, prompted, options) if prompted else None
        activation, bias = ACTIVATIONS[options.adapter_activation], options.adapter_bias
        inner = options.adapter_width or config.embed_dim
        self.adapters = nn.ModuleList(
            nn.Sequential(
                nn.Linear(config.vision.width, inner, bias=bias),
                activation(),
                nn.Linear(inner, config.embed_dim, bias=bias),
                activation(),
            )
            for _ in blocks
        )


class Head(nn.Module):
    """All trained parameters; `refined` has those of the second pass where it does not share those of the first."""

    def __init__(self, backbone: Backbone, blocks: Sequence[int], options: Options) -> None:
        super().__init__()
        config, identity = backbone.spec.config, options.identity_start
        self.first = Pass(backbone, blocks, options)
        self.refined = Pass(backbone, blocks, options) if options.mp and not options.mp_shared else None
        self.i2tp = TextPrompting(config.text.width, config.text.context_length, options) if options.i2tp else None
        sizes = (config.vision.width, 2) if options.mp_axis == "channels" else (self.rows(backbone, options), 1)
        self.mp = Fuse(sizes[0], sizes[0], along=sizes[1], identity=identity) if options.mp else None
        self.resnet: ResNet | None = None  # where it is trained

    @staticmethod
    def rows(backbone: Backbone, options: Options) -> int:
        """Count the tokens that are fused."""
        return backbone.grid**2 + options.mp_class_token


class MFPCLIP:
    """The detector: `encode` works inside both encoders, `score` compares, `loss` is for training.

    `stages.py` adds the intermediate results.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        self.backbone, self.options = backbone, options
        self.blocks = map_taps(options.layers, backbone.spec.config.vision.layers)
        self.network = Head(backbone, self.blocks, options).to(backbone.device).eval()
        self.colours, self.resnet = Colours().to(backbone.device), None
        if options.with_resnet:
            weights = extra_weights(options, backbone.spec)[NETWORK]
            self.resnet = ResNet(weights, options).to(backbone.device)
            if options.resnet_trained:
                self.network.resnet = self.resnet
        self._cached_ids: dict[str, Tensor] = {}  # class name → int64 (2, context)

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode images and, once per image, both sentences of its class.

        The layers are those of the last pass, prompts removed. The parts are `text_features` (batch, 2, joint), unit
        rows, normal and abnormal; with mask prompting `coarse` (batch, size, size) or, where each is supervised, the
        map of every layer (batch, layers, size, size) of the first pass; and the feature of the ResNet-50.
        """
        walk, parts = self.backbone.vision.walk, {}
        feature = None
        if self.resnet is not None:
            feature = parts[FEATURE] = self.resnet(images)
        parts[TEXT] = self.text_features(feature, class_names)
        embedded = walk.embed(images)
        layers = self.run_pass(self.network.first, embedded, feature)
        if self.network.mp is not None:
            maps = self.maps(self.network.first, layers, parts[TEXT])  # (batch, maps, size, size)
            parts[COARSE] = maps
            fused = self.fuse_masked(self.network.mp, images, embedded, maps.mean(dim=1))
            layers = self.run_pass(self.last_pass, fused, feature)
        return Tokens(layers, walk.grid, parts=parts)

    @property
    def last_pass(self) -> Pass:
        """The trained parts of the pass that gives the result."""
        return self.network.refined or self.network.first

    def run_pass(self, trained: Pass, embedded: Tensor, feature: Tensor | None) -> tuple[Tensor, ...]:
        """Encode embedded images, (batch, 1 + grid², width), with self prompts: the same shape per tapped block."""
        walk = self.backbone.vision.walk
        prompts = trained.sp(feature) if trained.sp is not None else {}
        return encode_image(walk, walk.first_norm(embedded), prompts, self.blocks, self.options)

    def fuse_masked(self, fuse: Fuse, images: Tensor, embedded: Tensor, coarse: Tensor) -> Tensor:
        """Embed the images times their maps, (batch, size, size), and fuse both embeddings (MP)."""
        mask = (coarse if self.options.mp_gradient else coarse.detach()).unsqueeze(1)
        raw = self.options.mp_pixels == "raw"
        masked = self.colours.for_clip(self.colours.raw(images) * mask) if raw else images * mask
        both = embedded, self.backbone.vision.walk.embed(masked)
        if self.options.mp_class_token:
            fused: Tensor = fuse(*both)
            return fused
        patches: Tensor = fuse(both[0][:, 1:], both[1][:, 1:])
        return torch.cat([embedded[:, :1], patches.to(embedded.dtype)], dim=1)

    def text_features(self, feature: Tensor | None, class_names: Sequence[str]) -> Tensor:
        """Encode both sentences of every image in single precision: (batch, 2, joint) unit rows, normal, abnormal."""
        text, options = self.backbone.text, self.options
        ids = torch.cat([self._ids_of(name) for name in class_names])  # (batch · 2, context)
        ends = ids.argmax(dim=1)  # the end token has the largest id
        by_tokens = options.i2tp and options.i2tp_axis == "tokens"
        ids = ids if by_tokens else ids[:, : int(ends.max()) + 1]  # causal: later tokens are never attended to
        before = options.i2tp_positions == "before"
        with single_precision(text.projection):
            states = text.embed(ids)
            states = text.walk.embed(states) if before else states
            if self.network.i2tp is not None and feature is not None:
                states = self.network.i2tp(states, feature)
            states = states if before else text.walk.embed(states)
            states = text.walk.run(states, mask=text.walk.causal_mask)
            states = states[torch.arange(len(states), device=ids.device), ends]
            features = normalize(text.walk.project(text.walk.final_norm(states)), dim=-1)
        return features.view(len(class_names), len(STATES), -1)

    def _ids_of(self, class_name: str) -> Tensor:
        """Tokenize both sentences of a class, once: int64 (2, context)."""
        if class_name not in self._cached_ids:
            word = class_name if self.options.underscores else class_name.replace("_", " ")
            sentences = [self.options.template.replace("{state}", state).replace("{object}", word) for state in STATES]
            ids = self.backbone.text.tokenize(sentences)
            if bool(ids[:, -1].any()):
                raise UsageError(
                    f"option 'template' makes sentences too long for the text tower: '{sentences[1][:60]}'"
                )
            self._cached_ids[class_name] = ids
        return self._cached_ids[class_name]

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: maps at the size of the input, (batch, size, size), and their maxima, (batch,); 0 to 1.

        The texts are among the tokens, so the class names are not used.
        """
        pixel = self.maps(self.last_pass, tokens.layers, tokens.parts[TEXT]).mean(dim=1)
        return Scores(pixel.amax(dim=(1, 2)), pixel)

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute the terms of the loss of every pass on one batch."""
        terms = {}
        maps = self.maps(self.last_pass, tokens.layers, tokens.parts[TEXT])
        passes = {"refined": (maps, 1.0)}
        if COARSE in tokens.parts:
            passes["coarse"] = (tokens.parts[COARSE], self.options.coarse_weight)
        for name, (found, weight) in passes.items():
            image = found.mean(dim=1).amax(dim=(1, 2))
            for term, value in loss_terms(list(found.unbind(dim=1)), image, batch, self.options).items():
                terms[f"{name}_{term}"] = weight * value
        return terms

    def patch_features(self, trained: Pass, layers: Sequence[Tensor]) -> Tensor:
        """Adapt and aggregate the patches of every layer (MPFA): (batch, layers, grid², joint), unit rows."""
        norm, adapted = self.backbone.vision.walk.final_norm, []
        for adapter, layer in zip(trained.adapters, layers, strict=True):
            patches = (norm(layer) if self.options.final_norm else layer)[:, 1:]
            adapted.append(normalize(self.aggregate(adapter(patches)), dim=-1))
        return torch.stack(adapted, dim=1)

    def aggregate(self, patches: Tensor) -> Tensor:
        """Average every patch, (batch, grid², joint), with its neighbours in the grid: the same shape."""
        side, grid = self.options.neighbourhood, self.backbone.grid
        if side == 1:
            return patches
        grids = patches.transpose(1, 2).reshape(len(patches), -1, grid, grid)  # (batch, joint, grid, grid)
        if self.options.border == "replicate":
            pooled = avg_pool2d(pad(grids, (side // 2,) * 4, mode="replicate"), side, stride=1)
        else:
            pooled = avg_pool2d(grids, side, stride=1, padding=side // 2, count_include_pad=False)
        return pooled.flatten(2).transpose(1, 2)

    def grids(self, trained: Pass, layers: Sequence[Tensor], text: Tensor) -> Tensor:
        """Compute the probability of "abnormal" of every patch in every layer, (batch, layers, grid, grid).

        The softmax over both texts is the sigmoid of the difference of their logits.
        """
        with single_precision(text):
            features = self.patch_features(trained, layers)
            difference = (text[:, 1] - text[:, 0]).unsqueeze(2)  # (batch, joint, 1)
            cosines = (features.flatten(1, 2) @ difference).view(features.shape[:3])
            probability = (self.options.logit_scale * cosines).sigmoid()
        return probability.view(*probability.shape[:2], self.backbone.grid, self.backbone.grid)

    def maps(self, trained: Pass, layers: Sequence[Tensor], text: Tensor) -> Tensor:
        """Enlarge the mean of the layers, or each where each is supervised: (batch, 1 or layers, size, size)."""
        grids = self.grids(trained, layers, text)
        grids = grids.mean(dim=1, keepdim=True) if self.options.supervised == "mean" else grids
        size = (self.backbone.image_size,) * 2
        return interpolate(grids, size, mode="bilinear", align_corners=self.options.corners).clamp(0, 1)
