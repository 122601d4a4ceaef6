"""Choose the engine of a run, and its workers, before any work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zsadbench.engine.machine.device import choose_device, choose_devices
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    import torch

    from zsadbench.engine.plan.request import Engine, RunRequest


@dataclass(frozen=True)
class EngineChoice:
    """The engine of a run, and the device of each of its workers; under Ray without `--jobs`, that of one of them."""

    name: Engine
    devices: tuple[torch.device, ...]


def choose_engine(request: RunRequest) -> EngineChoice:
    """Return the engine of a request: `processes` for several devices or jobs, else `local`, unless one is named.

    Raises:
        UsageError: flags contradict each other, there is no such device, or Ray is not installed.
    """
    if request.engine == "ray":
        return _of_ray(request)
    devices = choose_devices(request.device)
    if request.jobs is not None:
        if len(devices) > 1:
            raise UsageError("--jobs is for one device; with several, each has one worker")
        devices *= request.jobs
    name: Engine = request.engine or ("processes" if len(devices) > 1 else "local")
    if request.address is not None:
        raise UsageError(f"--address is the cluster of --engine ray, which this is not: it is '{name}'")
    if name == "local" and len(devices) > 1:
        raise UsageError("--engine local has one worker; use --engine processes with several devices or --jobs")
    return EngineChoice(name, devices)


def _of_ray(request: RunRequest) -> EngineChoice:
    """Return the choice for Ray, which finds the devices of its workers itself, on whichever machine.

    Raises:
        UsageError: Ray is not installed, a device is named by its number, or the address is none.
    """
    import torch

    if find_spec("ray") is None:
        raise UsageError("--engine ray needs the package 'ray': pip install 'zsadbench[ray]'")
    kind = {"all": "cuda", "auto": str(choose_device("auto"))}.get(request.device, request.device)
    if kind not in {"cpu", "cuda"}:
        raise UsageError(f"--device '{kind}': Ray chooses the GPUs; use cpu, cuda (all of the cluster) or auto")
    address = request.address
    if address not in {None, "auto"} and not re.fullmatch(r"[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+", str(address)):
        raise UsageError(f"--address '{address}' is neither auto nor HOST:PORT")
    return EngineChoice("ray", (torch.device(kind),) * (request.jobs or 1))
