"""Copy tensors from the device to the host without stopping the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

PendingArray = Callable[[], NDArray[Any]]
"""A function that waits until the copy is complete and returns it."""


def to_host(tensor: Tensor) -> PendingArray:
    """Start copying a tensor to the host; a tensor on the host is not copied.

    From a CUDA device the copy goes into page-locked memory, queued after the work that makes the tensor. Only the
    caller of the returned function waits; it may be in any thread.
    """
    if tensor.device.type != "cuda":
        return tensor.numpy
    import torch

    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    copy.copy_(tensor, non_blocking=True)
    complete = torch.cuda.Event()  # type: ignore[no-untyped-call]
    complete.record(torch.cuda.current_stream(tensor.device))

    def wait() -> NDArray[Any]:
        complete.synchronize()
        return copy.numpy()

    return wait
