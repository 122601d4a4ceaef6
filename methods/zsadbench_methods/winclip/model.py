"""WinCLIP: window-based CLIP for zero-shot anomaly classification and segmentation (CVPR 2023), and WinCLIP+.

The figure of the paper, left to right. Text: states in captions → mean feature per side. Image: the whole image, and
every window of 2 × 2 and of 3 × 3 patches by itself, through the image encoder → cosines with both sides → score per
window → mean of the windows over a patch → mean of the scales. WinCLIP+ also compares windows and patches with those of
a few normal images. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from zsadbench.errors import UsageError
from zsadbench.types import Scores, Tokens
from zsadbench_methods.parts.ensembles import sentence_features
from zsadbench_methods.parts.nearest import bank_of, cosine_distance
from zsadbench_methods.parts.precision import single_precision
from zsadbench_methods.winclip.prompts import sentences_of
from zsadbench_methods.winclip.windows import (
    SMALLEST,
    arithmetic_mean,
    cover_of,
    encode_windows,
    harmonic_mean,
    patches_of_windows,
)

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.winclip.options import Options

IMAGE, PATCHES, WINDOWS = "image_features", "patch_features", "window_features_s{}"


class WinCLIP:
    """The detector: `encode` works inside the image encoder, `score` compares, `remember` is for few shots.

    `stages.py` adds the intermediate results.

    Raises:
        UsageError: a scale is larger than the grid of patches.
    """

    def __init__(self, backbone: Backbone, options: Options) -> None:
        if max(options.scales) > backbone.grid:
            raise UsageError(
                f"option 'scales' has windows of {max(options.scales)} patches, the image has {backbone.grid} a side; "
                "choose smaller windows or a larger --image-size"
            )
        self.backbone, self.options = backbone, options
        grid, device = backbone.grid, backbone.device
        self._windows = {scale: patches_of_windows(grid, scale).to(device) for scale in options.scales}
        self._cover = {scale: cover_of(patches, grid) for scale, patches in self._windows.items()}
        self._cached_text: dict[str, Tensor] = {}  # class name → (2, joint)
        self._banks: dict[str, Tensor] = {}  # part of the tokens → unit rows of normal images

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode the whole image and every window by itself.

        The parts of the result are `image_features` (batch, joint), `patch_features` (batch, grid², width), which are
        normed and not projected, and `window_features_sK` (batch, windows, joint) of the windows of K × K patches.
        """
        walk = self.backbone.vision.walk
        embedded = walk.first_norm(walk.embed(images))  # (batch, 1 + grid², width)
        tokens = walk.final_norm(walk.run(embedded))
        parts = {IMAGE: walk.project(tokens[:, 0]), PATCHES: tokens[:, 1:]}
        for scale, patches in self._windows.items():
            parts[WINDOWS.format(scale)] = encode_windows(walk, embedded, patches)
        return Tokens((), walk.grid, parts=parts)

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score a batch: images (batch,) and patches (batch, grid, grid)."""
        with single_precision(tokens.parts[IMAGE]):
            text = self.text_features(class_names)  # (batch, 2, joint)
            whole = self.abnormality(tokens.parts[IMAGE].unsqueeze(1), text)  # (batch, 1)
            pixel = self.text_map(tokens, text, whole)  # (batch, grid²)
            image = whole.squeeze(1)
            if self._banks:
                distance = self.reference_map(tokens)  # (batch, grid²)
                image = (image + distance.amax(dim=1)) / 2
                pixel = self.fuse(pixel, distance)
            elif self.options.fusion == "harmonic":
                pixel = self.fuse(pixel, pixel)
            pixel = pixel.view(-1, tokens.grid, tokens.grid)
            return Scores(self.largest_pixel(pixel) if self.options.image_score == "map" else image, pixel)

    def remember(self, tokens: Tokens) -> None:
        """Remember windows and patches of these normal images instead of earlier ones; without any, forget all."""
        kept = [WINDOWS.format(scale) for scale in self.options.scales] + [PATCHES] * self.options.patches
        known = len(tokens.parts[PATCHES]) > 0
        self._banks = {name: bank_of(tokens.parts[name].float()) for name in kept} if known else {}

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and cache the text features of these classes."""
        self.text_features(class_names)

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        """Average the features of all sentences of both sides, (names, 2, joint), normal and abnormal; once per class.

        Features are averaged as they are, so that the means are not of unit length.
        """
        for name in dict.fromkeys(class_names):
            if name not in self._cached_text:
                self._cached_text[name] = self._average_sentences(name)
        return torch.stack([self._cached_text[name] for name in class_names])

    def _average_sentences(self, class_name: str) -> Tensor:
        text = self.backbone.text
        with torch.no_grad(), single_precision(text.projection):
            sides = [sentence_features(text, side).mean(dim=0) for side in sentences_of(self.options, class_name)]
        means = torch.stack(sides)
        return normalize(means, dim=-1) if self.options.normalise_text else means

    def abnormality(self, features: Tensor, text: Tensor) -> Tensor:
        """Compute the probability of "abnormal": softmax of both cosines over the temperature.

        (batch, n, joint) and (batch, 2, joint) → (batch, n).
        """
        cosines = normalize(features.float(), dim=-1) @ normalize(text, dim=-1).transpose(1, 2)  # (batch, n, 2)
        return (cosines / self.options.temperature).softmax(dim=-1)[..., 1]

    def text_map(self, tokens: Tokens, text: Tensor, whole: Tensor) -> Tensor:
        """Average scales, and windows within them, over every patch: (batch, grid²).

        `whole`, (batch, 1), is the score of the image.
        """
        windows = self.window_scores(tokens, text)
        if self.options.aggregation == "abnormal":
            scales = [harmonic_mean(scores, self._cover[scale]) for scale, scores in windows.items()]
            scales += [whole.expand_as(scales[0])] * self.options.whole_image
            return harmonic(torch.stack(scales))
        scales = [harmonic_mean(1 - scores, self._cover[scale]) for scale, scores in windows.items()]
        scales += [1 - whole.expand_as(scales[0])] * self.options.whole_image
        return 1 - harmonic(torch.stack(scales))

    def window_scores(self, tokens: Tokens, text: Tensor) -> Mapping[int, Tensor]:
        """Compute the score of every window: scale → (batch, windows)."""
        return {scale: self.abnormality(tokens.parts[WINDOWS.format(scale)], text) for scale in self.options.scales}

    def reference_map(self, tokens: Tokens) -> Tensor:
        """Average the distances of windows and patches to the normal images over every patch: (batch, grid²)."""
        mean = harmonic_mean if self.options.aggregation == "abnormal" else arithmetic_mean
        scales, before = [], ""
        for scale, cover in self._cover.items():
            part = WINDOWS.format(scale)
            distance = self.distance(tokens, part)
            if self.options.first_window_shifted and before:
                first = cosine_distance(tokens.parts[part][:, :1].float(), self._banks[before]) / 2
                distance = torch.cat([first, distance[:, 1:]], dim=1)
            scales.append(mean(distance, cover))
            before = part
        if self.options.patches:
            scales.append(self.distance(tokens, PATCHES))
        return torch.stack(scales).mean(dim=0)

    def distance(self, tokens: Tokens, part: str) -> Tensor:
        """Compute `(1 − cos)/2` to the nearest feature of the normal images, (batch, n)."""
        return cosine_distance(tokens.parts[part].float(), self._banks[part]) / 2

    def fuse(self, text_map: Tensor, reference_map: Tensor) -> Tensor:
        """Fuse both maps: their mean, or half their harmonic mean."""
        if self.options.fusion == "mean":
            return (text_map + reference_map) / 2
        return harmonic(torch.stack([text_map, reference_map])) / 2

    def largest_pixel(self, pixel: Tensor) -> Tensor:
        """Find the largest pixel of every map at the size of the input: (batch, grid, grid) → (batch,)."""
        size = (self.backbone.image_size,) * 2
        return interpolate(pixel.unsqueeze(1), size, mode="bilinear", align_corners=False).amax(dim=(1, 2, 3))


def harmonic(maps: Tensor) -> Tensor:
    """Compute the harmonic mean over the first axis; 0 where one of them is 0."""
    return len(maps) / maps.clamp_min(SMALLEST).reciprocal().sum(dim=0)
