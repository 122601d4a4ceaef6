"""Energy as the driver of an NVIDIA device counts it (NVML); nothing where there is none, or no pynvml."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class EnergyMeter:
    """Joules since the meter was made: `joules()` is None where nobody counts them."""

    def __init__(self, device: torch.device) -> None:
        self._counter = _counter(device)
        self._start = self._read()

    def joules(self) -> float | None:
        """Energy of the whole card since then, whoever used it."""
        now = self._read()
        return None if now is None or self._start is None else (now - self._start) / 1000

    def _read(self) -> int | None:
        """Millijoules since the driver was loaded; older cards count none."""
        if self._counter is None:
            return None
        nvml, handle = self._counter
        try:
            return int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except nvml.NVMLError:
            return None


def _counter(device: torch.device) -> tuple[Any, Any] | None:
    if device.type != "cuda":
        return None
    try:
        pynvml = import_module("pynvml")
    except ImportError:
        return None
    import torch

    try:
        pynvml.nvmlInit()
        name = f"GPU-{torch.cuda.get_device_properties(device).uuid}"  # its number differs under CUDA_VISIBLE_DEVICES
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(name)
    except pynvml.NVMLError:
        return None
