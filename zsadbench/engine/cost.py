"""What a run costs: seconds a stage and peak memory, read from clocks that wait for the device."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
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
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)


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


def peak_host_mib() -> float | None:
    """Largest resident memory of this process so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024
