"""How an image–text pair turns cosines into logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

INITIAL_SCALE = 1 / 0.07  # of training, before the first step


class Contrast(NamedTuple):
    """Logits are `scale · cosine + bias`, learned with the weights.

    `sigmoid` says that a pair was trained with a sigmoid of each logit, which is then the probability that image and
    text belong together; else with a softmax over texts, in which the bias, 0, cancels.
    """

    scale: float
    bias: float
    sigmoid: bool


def contrast_of(state: Mapping[str, Tensor], initial_bias: float | None) -> Contrast:
    """Read the temperature from the tensors `logit_scale`, a logarithm, and `logit_bias`; initial values where absent.

    `initial_bias` is None for a pair trained with a softmax.
    """
    scale = math.exp(float(state["logit_scale"])) if "logit_scale" in state else INITIAL_SCALE
    bias = float(state["logit_bias"]) if "logit_bias" in state else initial_bias or 0.0
    return Contrast(scale, bias, initial_bias is not None)
