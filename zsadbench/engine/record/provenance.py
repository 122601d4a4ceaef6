"""Collect the provenance of a record: versions, commit, hardware, threads, time, command."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

PACKAGES = ("torch", "torchvision", "open_clip_torch", "numpy", "scipy", "pillow", "numba", "pandas")


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine_of(device: torch.device) -> dict[str, Any]:
    """Return the provenance of what this process computes on a device: its name, and the threads of PyTorch."""
    import torch

    return {"device": device_name(device), "threads": torch.get_num_threads()}


def provenance(machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may explain a difference between two runs of one cell; none of it is in the cell.

    `machine` is what `machine_of` returned in the process that computed.
    """
    return {
        "zsadbench": version("zsadbench"),
        "git": dict(_git()),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        **machine,
        "finished": now(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def device_name(device: torch.device) -> str:
    """Return the name of a GPU as its driver gives it; for a CPU, the name of the processor."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
    return model or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _git() -> tuple[tuple[str, Any], ...]:
    """Return commit and dirty flag of the git checkout that this code runs from; both None outside of one."""
    home = Path(str(files("zsadbench"))).resolve().parent
    if not (home / ".git").exists():
        return (("commit", None), ("dirty", None))
    commit, status = _run_git(home, "rev-parse", "HEAD"), _run_git(home, "status", "--porcelain")
    return (("commit", commit), ("dirty", None if status is None else bool(status)))


def _run_git(home: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it fails or is not installed."""
    try:
        process = subprocess.run(  # noqa: S603 - fixed program, fixed arguments
            ["git", "-C", str(home), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()
