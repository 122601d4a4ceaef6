"""Parts of a method that keep single precision whatever the run's: thresholds, cosines, norms, softmaxes."""

from __future__ import annotations

import torch
from torch import Tensor


def in_single(tensor: Tensor) -> torch.autocast:
    """A context in which products on this tensor's device are not made in half precision."""
    return torch.autocast(tensor.device.type, enabled=False)
