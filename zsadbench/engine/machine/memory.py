"""Peak memory of the process and of the device, in MiB."""

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
    """Start counting peak device memory anew."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_device_mib(device: torch.device) -> float | None:
    """Peak allocated device memory since the last reset; None on a CPU, which has no memory of its own."""
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / MIB


def peak_reserved_mib(device: torch.device) -> float | None:
    """Peak device memory that the allocator held since the last reset, its stock included; None on a CPU."""
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_reserved(device) / MIB


def reset_peak_host() -> bool:
    """Start counting peak host memory anew, where the system lets a process do so (Linux); else say False.

    What was freed goes back to the system first, so that the peak is not that of earlier work.
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
    """Largest resident memory of this process since `reset_peak_host`, else so far; None where nobody says."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024
