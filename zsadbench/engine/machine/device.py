"""Choose the device of a run, and recognise that memory was short."""

from __future__ import annotations

import re

import torch

from zsadbench.errors import UsageError

# The texts of the allocators of PyTorch, of CUDA and of its libraries, which raise a plain `RuntimeError`.
ALLOCATORS = re.compile(
    r"(CUDA|HIP|MPS backend|XPU)( driver)?( error:)? out of memory"
    r"|not enough memory: you tried to allocate"
    r"|DefaultCPUAllocator: can't allocate memory"
    r"|(CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT)_(STATUS_)?ALLOC_FAILED"
    r"|std::bad_alloc"
)

BATCH = {"cpu": 4, "cuda": 16}  # images per batch by default; on a GPU the size from which larger ones are tried


def choose_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is a CUDA device where there is one, else the CPU.

    Raises:
        UsageError: the name is unknown or unsupported, or this computer has no such device.
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
        visible = torch.cuda.device_count()
        raise UsageError(f"there is no device '{name}': {visible} CUDA devices are visible; use --device cpu")
    return device


def choose_devices(names: str) -> tuple[torch.device, ...]:
    """Return the devices of a comma list, each once; `all` stands for every CUDA device that is visible.

    Raises:
        UsageError: as `choose_device`; or there is no CUDA device for `all`.
    """
    if names == "all":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not found:
            raise UsageError("--device all: no CUDA device is visible; use --device cpu")
        return tuple(torch.device("cuda", index) for index in range(found))
    return tuple(dict.fromkeys(choose_device(name.strip()) for name in names.split(",")))


def is_shortage(failure: BaseException) -> bool:
    """Return whether memory was short, on the host or on a device.

    PyTorch often raises a plain `RuntimeError` then, which is recognised by the text of the allocator: a method that
    says that its memory bank is empty had enough memory.
    """
    if isinstance(failure, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(failure, RuntimeError) and ALLOCATORS.search(str(failure)) is not None
