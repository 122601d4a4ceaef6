"""Choose the engine of a run, and its workers, before any work."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zsadbench.engine.machine.device import choose_devices
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    import torch

    from zsadbench.engine.plan.request import Engine, RunRequest


@dataclass(frozen=True)
class EngineChoice:
    """The engine of a run, and the device of each of its workers."""

    name: Engine
    devices: tuple[torch.device, ...]


def choose_engine(request: RunRequest) -> EngineChoice:
    """Return the engine of a request: `processes` for several devices or jobs, else `local`, unless one is named.

    Raises:
        UsageError: flags contradict each other, there is no such device, or Ray is not installed.
    """
    devices = choose_devices(request.device)
    if request.jobs is not None:
        if len(devices) > 1:
            raise UsageError("--jobs is for one device; with several, each has one worker")
        devices *= request.jobs
    name: Engine = request.engine or ("processes" if len(devices) > 1 else "local")
    if request.address is not None and name != "ray":
        raise UsageError(f"--address is the cluster of --engine ray, which this is not: it is '{name}'")
    if name == "local" and len(devices) > 1:
        raise UsageError("--engine local has one worker; use --engine processes with several devices or --jobs")
    if name == "ray" and find_spec("ray") is None:
        raise UsageError("--engine ray needs the package 'ray': pip install 'zsadbench[ray]'")
    return EngineChoice(name, devices)
