"""Build the frozen CLIP encoder of a run on its device, in its precision."""

from __future__ import annotations

import torch

from zsadbench.clip import Backbone, build
from zsadbench.engine.plan.method_setup import MethodSetup

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build_towers(setup: MethodSetup, device: torch.device) -> Backbone:
    """The frozen towers as the method of `setup` wants them."""
    taps = setup.method.card.taps(setup.method.options)
    return build(
        setup.spec,
        setup.image_size,
        activation=taps.activation,
        position=taps.position,
        device=device,
        compiling=setup.compiling,
        precision=DTYPES[setup.precision],
    )
