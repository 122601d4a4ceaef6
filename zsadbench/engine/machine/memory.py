"""Measure peak memory of the process and of the device, in MiB."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


MIB = 2**20


def reset_peak(device: torch.device) -> None:
    """Start a new measurement of peak device memory."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_device_mib(device: torch.device) -> float | None:
    """Return the peak of allocated device memory since the last reset; None on a CPU."""
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / MIB


def peak_reserved_mib(device: torch.device) -> float | None:
    """Return the peak of memory that PyTorch reserved on the device since the last reset; None on a CPU.

    Reserved memory includes free blocks that PyTorch keeps for later use.
    """
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_reserved(device) / MIB


def reset_peak_host() -> bool:
    """Start a new measurement of peak host memory; False where the system does not allow it (only Linux does).

    Freed memory is first given back to the system, so that the peak does not include earlier work.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not every C library has it
        return False
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_host_mib() -> float | None:
    """Return the peak resident memory since `reset_peak_host`, else since the process started; None if unknown."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024
