"""Build the frozen CLIP encoder of a run on its device, in its precision."""

from __future__ import annotations

import torch

from zsadbench.clip import Backbone, build
from zsadbench.engine.plan.setting import Setting

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build_towers(setting: Setting, device: torch.device) -> Backbone:
    """The frozen towers as the method of `setting` wants them."""
    taps = setting.method.card.taps(setting.method.options)
    return build(
        setting.spec,
        setting.image_size,
        activation=taps.activation,
        position=taps.position,
        device=device,
        compiling=setting.compiling,
        precision=DTYPES[setting.precision],
    )
