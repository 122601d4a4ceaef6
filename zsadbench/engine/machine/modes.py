"""Training and evaluation mode of a detector's network.

The mode in which `build` leaves `network` is that of its training. Everything else, scores above all, is
computed in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from torch import nn

from zsadbench.engine.machine.method_calls import call_method

_built_in_training: WeakSet[nn.Module] = WeakSet()  # parts of networks that were in training mode when they were made


def evaluation_mode(name: str, detector: Any) -> None:
    """Put the network of a new or loaded detector into evaluation mode, and keep the mode of its training in mind.

    A detector without a network is left as it is. `name` is that of the method, for messages.

    Raises:
        CellError: the method fails.
    """
    call_method(name, "network", _evaluate, detector)


def _evaluate(detector: Any) -> None:
    _built_in_training.update(module for module in _modules(detector) if module.training)
    for network in _modules(detector)[:1]:
        network.eval()


def _modules(detector: Any) -> list[nn.Module]:
    """Return the network of a detector and its parts; an empty list where it is no module."""
    network = getattr(detector, "network", None)
    return list(network.modules()) if isinstance(network, nn.Module) else []


@contextmanager
def training_mode(detector: Any) -> Iterator[None]:
    """Within the block, have the network in the mode in which `build` left it; afterwards in evaluation mode."""
    for module in _modules(detector):
        module.training = module.training or module in _built_in_training
    try:
        yield
    finally:
        for network in _modules(detector)[:1]:
            network.eval()
