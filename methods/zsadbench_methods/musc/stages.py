"""MuSc on the tokens of a parity fixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zsadbench.types import Scores, Tokens
from zsadbench_methods.musc.model import MuSc
from zsadbench_methods.musc.options import Options
from zsadbench_methods.parts.given_tokens import given
from zsadbench_methods.parts.window_mean import window_mean

FEATURES = "class_tokens"


class GivenMuSc(MuSc):
    """MuSc without an encoder, for tokens whose image features are given as the part `class_tokens`."""

    def __init__(self, options: Options, size: int) -> None:
        self.options, self.size, self.with_text, self.block = options, size, True, 3
        self.begin_class("object")

    def class_features(self, tokens: Tokens) -> Tensor:
        """Return the given image features."""
        return tokens.parts[FEATURES]


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute what a fixture with given tokens expects, by name."""
    count = len(inputs["tokens"])
    options = replace(options, layers=tuple(range(1, count + 1)), class_layer=count)
    grid, settings = about["grid"], about["options"]
    tokens = given(list(inputs["tokens"].float()), (grid, grid), {FEATURES: inputs[FEATURES].float()})

    def gathered(**changes: Any) -> MuSc:
        detector = GivenMuSc(replace(options, **changes), about["image_size"])
        detector.gather(tokens)
        return detector

    detector = gathered()
    scores = list(detector.score_class())
    maps = torch.cat([one.pixel for one in scores])
    named: dict[str, Tensor | Scores] = {
        "map_grid": detector.grid_maps(),
        "map": maps,
        "map_max": maps.amax(dim=(1, 2)),
        "score": torch.cat([one.image for one in scores]),
        "score_raw_class_tokens": _scores(gathered(class_tokens="raw")),
        "score_k23": _scores(gathered(neighbours=tuple(k for k in settings["k_list"] if k > 1))),
    }
    named["published_run_score"] = named["score"]
    visa = tuple(settings["k_list_visa"])
    if max(visa) <= len(inputs[FEATURES]):
        named["score_visa"] = _scores(gathered(neighbours=visa))
    for side in options.degrees:
        patches = [detector._layers[layer].read(0, 1) for layer in range(count)]
        named[f"aggregated_r{side}"] = torch.stack([window_mean(p, (grid, grid), side)[0] for p in patches], dim=1)
        for layer in range(count):
            named[f"mutual_r{side}_l{layer}"] = detector.mutual_scores(side, layer)
    return named


def _scores(detector: MuSc) -> Tensor:
    """Return the image scores of the class that was gathered."""
    return torch.cat([scores.image for scores in detector.score_class()])
