"""Every intermediate result of AA-CLIP by its name in the parity fixtures; `lNN` is the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zsadbench.clip import map_taps
from zsadbench.types import Batch, Tokens
from zsadbench_methods.aaclip.encoders import encode_image
from zsadbench_methods.aaclip.losses import orthogonality
from zsadbench_methods.aaclip.model import AACLIP, GLOBAL
from zsadbench_methods.aaclip.names import TEXT_STAGE
from zsadbench_methods.parts.precision import single_precision


class TracedAACLIP(AACLIP):
    """AA-CLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it; `map_grid` has an axis for layers before that of the batch.

        `map_normalised` is scaled over the images of the batch, as if they were all of their class.
        """
        options = self.options
        scores = self.score(tokens, class_names)
        parts = self.image_parts(tokens, class_names, scores)
        named = {"text_features": self.anchors(class_names), **parts}
        with single_precision(tokens.layers[0]):
            pairs = zip(options.layers, self.taps(tokens), self.patch_features(tokens), strict=True)
            for block, tap, features in pairs:
                named |= {f"tap_l{block:02d}": tap, f"projected_l{block:02d}": features}
            named["det_feature"] = self.image_feature(tokens)
            named["map_grid"] = torch.stack(self.layer_grids(tokens, named["text_features"]))
        low, high = scores.pixel.min(), scores.pixel.max()
        named["map_normalised"] = (scores.pixel - low) / (high - low)
        return {**named, "score": scores.image, "map": scores.pixel}

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Return what is only computed in training: terms that do not count, frozen features, tokens of all blocks."""
        if self.stage == TEXT_STAGE:
            terms, text = self.text_terms(tokens, batch)
            named = {f"loss_{name}": term for name, term in {**terms, "orthogonality": orthogonality(text)}.items()}
            features = zip(self.options.layers, self.frozen_features(tokens), strict=True)
            named |= {f"surgery_features_l{block:02d}": patches for block, patches in features}
            return {**named, GLOBAL: tokens.parts[GLOBAL]}
        walk, numbers = self.backbone.vision.walk, range(1, 25)
        adapters, share = list(self.network.image.adapters), self.options.image_share
        deep = {block: map_taps((block,), walk.depth)[0] for block in numbers}
        every = encode_image(walk, batch.images, adapters, share, tuple(deep.values()))
        unique = dict(zip(sorted(set(deep.values())), every, strict=True))
        return {f"vision_tokens_l{block:02d}": unique[deep[block]] for block in numbers}
