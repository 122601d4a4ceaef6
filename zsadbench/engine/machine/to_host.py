"""Tensors on their way to the host: the device goes on with the next batch, and who needs one waits for that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Arrival = Callable[[], NDArray[Any]]
"""Waits until the tensor is there, and gives it."""


def to_host(tensor: Tensor) -> Arrival:
    """Send a tensor on its way; what lies on the host already is there at once.

    From a CUDA device it is copied into page-locked memory behind the work that makes it, and nobody waits but the
    one who asks for it, in whatever thread.
    """
    if tensor.device.type != "cuda":
        return tensor.numpy
    import torch

    landed = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    landed.copy_(tensor, non_blocking=True)
    there = torch.cuda.Event()  # type: ignore[no-untyped-call]
    there.record(torch.cuda.current_stream(tensor.device))

    def arrive() -> NDArray[Any]:
        there.synchronize()
        return landed.numpy()

    return arrive
