"""Build the frozen CLIP encoders of a method on the device of the run."""

from __future__ import annotations

import torch

from zsadbench.clip import Backbone, build
from zsadbench.engine.plan.method_setup import MethodSetup, taps_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build_towers(setup: MethodSetup, device: torch.device) -> Backbone:
    """Prepare the frozen encoders with the method's activation and positional rule; each is built at its first use."""
    taps = taps_of(setup)
    return build(
        setup.spec,
        setup.image_size,
        activation=taps.activation,
        position=taps.position,
        device=device,
        compiling=setup.compiling,
        precision=DTYPES[setup.precision],
    )
