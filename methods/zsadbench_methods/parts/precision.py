"""Single precision for what needs it under autocast: thresholds, cosines, norms and softmaxes."""

from __future__ import annotations

import torch
from torch import Tensor


def single_precision(tensor: Tensor) -> torch.autocast:
    """Return a context that turns autocast off on the device of `tensor`."""
    return torch.autocast(tensor.device.type, enabled=False)
