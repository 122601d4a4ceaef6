"""A cache for text features: they depend on the parameters alone, so they are computed once per set of weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.precision import single_precision


class ParameterCache:
    """Calls `compute` for the current parameters of `modules`, and again only after one of them changed.

    The cached tensor carries no gradient and is computed in single precision.
    """

    def __init__(self, compute: Callable[[], Tensor], *modules: nn.Module) -> None:
        self._compute, self._modules = compute, modules
        self._cached: tuple[Tensor, Tensor] | None = None  # the parameters, and what was computed from them

    def __call__(self) -> Tensor:
        """Return the tensor for the current parameters."""
        with torch.inference_mode(mode=False), torch.no_grad():
            parameters = torch.cat([p.flatten() for module in self._modules for p in module.parameters()])
            if self._cached is None or not _same(self._cached[0], parameters):
                with single_precision(parameters):
                    self._cached = (parameters, self._compute())
        return self._cached[1]


def _same(left: Tensor, right: Tensor) -> bool:
    """Compare by value: fused optimisers change parameters without raising their version counter."""
    return left.device == right.device and torch.equal(left, right)
