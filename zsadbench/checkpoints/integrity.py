"""Check the tensors of a checkpoint: that they are finite and all there, and that their content is what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 64 << 20  # bytes from which a tensor must have a storage of its own size


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds NaN or infinity; None where all are finite."""
    return next((name for name, tensor in state.items() if not bool(tensor.isfinite().all())), None)


def check_tensors(state: Mapping[str, Tensor], source: str) -> None:
    """Check that every entry is a finite tensor; error messages name its `source`.

    Raises:
        WeightsError: an entry is no tensor, holds NaN or infinity, or is larger than what the file stores of it.
    """
    from torch import Tensor

    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"{source}: '{name}' is no tensor but {type(tensor).__name__}")
        check_size(name, tensor, source)
    if (bad := first_not_finite(state)) is not None:
        raise WeightsError(f"{source}: '{bad}' holds NaN or infinity, so nothing can be scored with it")


def check_size(name: str, tensor: Tensor, source: str) -> None:
    """Check that a large tensor does not repeat a small storage, which would fill the memory once it is used.

    Raises:
        WeightsError: it does.
    """
    size = tensor.numel() * tensor.element_size()
    if size > LARGE and size > tensor.untyped_storage().nbytes():
        raise WeightsError(
            f"{source} is refused: '{name}' has the shape {list(tensor.shape)}, and the file stores less"
        )


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and values of all tensors, in the order of their names."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}\0{values.dtype}\0{list(values.shape)}\0".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
