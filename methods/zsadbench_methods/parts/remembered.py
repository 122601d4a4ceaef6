"""Text features that do not depend on the images are encoded once for a set of weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.precision import in_single


class Remembered:
    """What `make` gives for the present parameters of `modules`, made anew only after one changed; no gradient."""

    def __init__(self, make: Callable[[], Tensor], *modules: nn.Module) -> None:
        self._make, self._modules = make, modules
        self._kept: tuple[Tensor, Tensor] | None = None

    def __call__(self) -> Tensor:
        """The tensor, from memory where nothing changed."""
        with torch.inference_mode(mode=False), torch.no_grad():
            present = torch.cat([one.flatten() for module in self._modules for one in module.parameters()])
            if self._kept is None or not _same(self._kept[0], present):
                with in_single(present):
                    self._kept = (present, self._make())
        return self._kept[1]


def _same(left: Tensor, right: Tensor) -> bool:
    """Compared by value: fused optimisers change parameters without counting it in their version."""
    return left.device == right.device and torch.equal(left, right)
