"""The device of a run, and how many images it takes at a time."""

from __future__ import annotations

import torch

from zsadbench.errors import UsageError

BATCH = {"cpu": 4, "cuda": 16}


def choose_device(name: str) -> torch.device:
    """`auto` is a CUDA device where there is one, else the CPU.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as failure:
        raise UsageError(f"no device named '{name}'; use auto, cpu, cuda or cuda:0") from failure
    if device.type not in BATCH:
        raise UsageError(f"device '{name}' is not supported; use auto, cpu, cuda or cuda:0")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        seen = torch.cuda.device_count()
        raise UsageError(f"device '{name}' is not there: {seen} CUDA devices are seen; use --device cpu")
    return device


def is_shortage(failure: BaseException) -> bool:
    """Whether memory was short, on the host or on a device: torch says so with a `RuntimeError` of many kinds."""
    return isinstance(failure, MemoryError | torch.OutOfMemoryError) or (
        isinstance(failure, RuntimeError) and "memory" in str(failure).lower()
    )
