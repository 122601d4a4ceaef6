"""Energy of an NVIDIA device as its driver counts it (NVML); None on other devices and without `pynvml`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class EnergyMeter:
    """Measure the energy of a device from the moment at which the meter is made."""

    def __init__(self, device: torch.device) -> None:
        self._counter = _open_counter(device)
        self._start = self._read()

    def joules(self) -> float | None:
        """Return the energy since then in joules, of all processes on the device; None where nothing counts it."""
        now = self._read()
        return None if now is None or self._start is None else (now - self._start) / 1000

    def _read(self) -> int | None:
        """Return the millijoules since the driver was loaded; None where the device does not count them."""
        if self._counter is None:
            return None
        nvml, handle = self._counter
        try:
            return int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except nvml.NVMLError:
            return None


def _open_counter(device: torch.device) -> tuple[Any, Any] | None:
    """Return pynvml and its handle of the device; None where there is no such counter."""
    if device.type != "cuda":
        return None
    try:
        pynvml = import_module("pynvml")
    except ImportError:
        return None
    import torch

    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid  # NVML's numbers ignore CUDA_VISIBLE_DEVICES
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError:
        return None
