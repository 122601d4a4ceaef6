"""AnomalyDINO on the tokens of a parity fixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zsadbench.types import Scores
from zsadbench_methods.anomalydino.foreground import first_component
from zsadbench_methods.anomalydino.model import AnomalyDINO, batched_score
from zsadbench_methods.anomalydino.options import ALL, Options
from zsadbench_methods.parts.given_tokens import given, with_class_rows
from zsadbench_methods.parts.neighbours import top_mean

SEVERAL = 3  # neighbours of the results whose names contain k3


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute what a fixture with given tokens expects, by name; `Scores` stand for a map, a score and a grid."""
    rows, columns = about["grid"]
    tests, normal = (
        given([with_class_rows(inputs[name].float())], (rows, columns), {}) for name in ("tokens", "reference_tokens")
    )
    words = ["object"] * len(inputs["tokens"])

    def scored(**changes: Any) -> Scores:
        detector = AnomalyDINO(None, replace(options, **changes))
        detector.remember(normal)
        return detector.score(tests, words)

    plain: dict[str, Any] = {"masks": "off"}
    detector = AnomalyDINO(None, options)
    component = first_component(inputs["tokens"].float(), (rows, columns), options)
    of_others, batched = _batched(detector, tests)
    more = replace(options, quantile=about["options"]["batched_quantile_q01"])
    of_others_q01, batched_q01 = _batched(AnomalyDINO(None, more), tests)
    return {
        "first_component": component,
        "mask_threshold": component > options.threshold,
        "mask": detector.mask(tests),
        "reference_mask": detector.mask(normal),
        "plain_": scored(**plain),
        "masked_": scored(masked=(ALL,)),
        "masked_both_": scored(masked=(ALL,), mask_references=True),
        "k3_": scored(**plain, neighbours=SEVERAL),
        "l2_": scored(**plain, distance="euclidean"),
        "l2_k3_": scored(**plain, distance="euclidean", neighbours=SEVERAL),
        "batched_distance": of_others,
        "batched_score": batched,
        "batched_distance_q01": of_others_q01,
        "batched_score_q01": batched_q01,
        "small_score": top_mean(inputs["small_distances"].unsqueeze(0), options.top_share),
    }


def _batched(detector: AnomalyDINO, tests: Any) -> tuple[Tensor, Tensor]:
    """Compute the distances of the batched form before the masks, (images, patches), and the scores with them."""
    detector.begin_class("object")
    detector.gather(tests)
    distance = torch.stack([detector.distance_to_others(number) for number in range(len(tests.layers[0]))])
    return distance, batched_score(distance * detector.mask(tests), detector.options.top_share)
