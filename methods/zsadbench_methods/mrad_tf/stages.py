"""MRAD-TF's results by name: of images for pictures, and on the tokens of a parity fixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zsadbench.types import Batch, Scores, Tokens
from zsadbench_methods.mrad_tf.memory import NAMES, Memory
from zsadbench_methods.mrad_tf.model import MRADTF
from zsadbench_methods.mrad_tf.options import Options
from zsadbench_methods.parts.given_tokens import given, with_class_rows

FEATURES = "image_features"


class TracedMRADTF(MRADTF):
    """MRAD-TF with its intermediate results."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Compute every intermediate result; the first axis is the batch."""
        scores = self.score(tokens, class_names)
        return {
            "averaged": self.averaged(tokens),
            "map_grid": scores.pixel,
            "map_smooth": self.smoothed(scores.pixel),
            "image_probability": self.image_probability(tokens),
            "score": scores.image,
        }


class GivenMRADTF(TracedMRADTF):
    """MRAD-TF without an encoder, for patches after the final norm and image features that are given."""

    def __init__(self, options: Options, size: int, widths: tuple[int, int]) -> None:
        self.options, self.size, self.network = options, size, Memory(*widths)

    def patches(self, tokens: Tokens) -> Tensor:
        """Return the given patches."""
        return tokens.value_layers[0][:, 1:]

    def image_features(self, tokens: Tokens) -> Tensor:
        """Return the given image features."""
        return tokens.parts[FEATURES]


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute what a fixture with given tokens expects, by name."""
    shape = (about["grid"], about["grid"])

    def tokens_of(prefix: str) -> Tokens:
        patches = with_class_rows(inputs[f"{prefix}tokens"].float())
        return given((), shape, {FEATURES: inputs[f"{prefix}{FEATURES}"].float()}, values=[patches])

    auxiliary, masks = tokens_of("auxiliary_"), inputs["auxiliary_masks"]
    labels, words = torch.tensor(about["auxiliary_labels"]), ("object",) * len(masks)
    detector = GivenMRADTF(options, about["image_size"], (inputs[FEATURES].shape[-1], inputs["tokens"].shape[-1]))
    detector.remember_auxiliary([(auxiliary, Batch(torch.empty(0), masks.float(), labels, words))])
    tests = tokens_of("")
    stages = dict(detector.stages(tests, ["object"] * len(inputs["tokens"])))
    memory = {name: detector.network.get_buffer(name) for name in NAMES}
    return {**stages, **memory, "averaged_first": stages["averaged"][0], "map": detector.enlarged(stages["map_grid"])}
