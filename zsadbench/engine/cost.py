"""What a run costs: seconds a stage and peak memory, read from clocks that wait for the device."""

from __future__ import annotations

import ctypes
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STAGES = ("load", "tower", "head", "map", "metrics")
MIB = 2**20


class Stopwatch:
    """Seconds by stage; the device is waited for before a clock is read."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage `name`."""
        self._wait()
        start = perf_counter()
        yield
        self._wait()
        self.seconds[name] += perf_counter() - start

    def _wait(self) -> None:
        wait_for(self.device)


def wait_for(device: torch.device) -> None:
    """Return once the device has done all that it was given: it works on while the host goes ahead."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


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
