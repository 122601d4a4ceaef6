"""Read checkpoint files of other programs safely; write our own.

Published checkpoints are pickles, and a pickle can run code. Nothing here runs any: `read_archive` uses the
restricted reader of PyTorch (tensors, plain containers, NumPy scalars), TorchScript archives are read by
`zsadbench.checkpoints.jit_archive`, pickled modules by `zsadbench.checkpoints.module_archive`, and our own files
are safetensors.
"""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.jit_archive import is_jit_archive, read_jit_archive
from zsadbench.checkpoints.module_archive import read_module_archive
from zsadbench.errors import WeightsError
from zsadbench.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "zsadbench-checkpoint/1"
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, EOFError, OSError, RuntimeError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError),
)


def read_archive(path: Path) -> Any:
    """Read a safetensors file, a `torch.save` file or a TorchScript archive without running any of it.

    Returns:
        A dict of CPU tensors for safetensors and TorchScript, else whatever plain object was saved.

    Raises:
        WeightsError: the file is missing, truncated, of no known format, or holds objects other than
            tensors, numbers, strings and plain containers.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file; give the path of a checkpoint")
    try:
        if _is_safetensors(path):
            return _read_safetensors(path)
        return read_jit_archive(path) if is_jit_archive(path) else _read_torch(path)
    except UNREADABLE as failure:
        raise WeightsError(
            f"{path} cannot be read as a checkpoint (safetensors, torch.save or TorchScript): {_first_line(failure)}"
        ) from failure


def read_modules(path: Path, classes: Collection[str]) -> dict[str, Tensor]:
    """Read a module that was saved whole, without running any of it; `classes` are those that it may be made of.

    Returns:
        Its parameters and buffers by dotted name, on the CPU.

    Raises:
        WeightsError: the file is missing, truncated, no module, or names anything else.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file; give the path of a checkpoint")
    try:
        return read_module_archive(path, classes)
    except UNREADABLE as failure:
        raise WeightsError(f"{path} cannot be read as a saved module: {_first_line(failure)}") from failure


def _is_safetensors(path: Path) -> bool:
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as stream:
        head = stream.read(9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as failure:
        raise WeightsError(f"{path} is no valid safetensors file: {_first_line(failure)}") from failure


def _read_torch(path: Path) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)  # whatever it is, it is checked
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        raise WeightsError(
            f"{path} is refused: it is no pickle of tensors and plain values alone, "
            f"and loading anything else could run foreign code ({_culprit(failure)})"
        ) from failure


def _numpy_scalars() -> list[Any]:
    """NumPy's scalar rebuilder under the names of NumPy 1 and 2, with the plain number types."""
    import numpy as np

    core: Any = np._core if hasattr(np, "_core") else np.core
    scalar = core.multiarray.scalar
    types = [np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType, np.dtypes.Int32DType]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), np.dtype, *types]


def _culprit(failure: Exception) -> str:
    lines = [line.strip() for line in str(failure).splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return lines[0] if lines else "not a pickle of the expected kind"


def _first_line(failure: BaseException) -> str:
    if isinstance(failure, LookupError):
        return "it is none of these"
    lines = str(failure).splitlines()
    return lines[0] if lines else type(failure).__name__


def write_checkpoint(path: Path, state: Mapping[str, Tensor], method: str, about: Mapping[str, Any]) -> None:
    """Write a trained state as safetensors, with the method's name and the settings that made it.

    The file appears whole or not at all: it is written beside `path`, flushed and renamed.
    """
    from safetensors.torch import save

    metadata = {"format": FORMAT, "method": method, "about": json.dumps(about, sort_keys=True)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, _in_order(save(tensors, metadata=metadata)))


def _in_order(content: bytes) -> bytes:
    """The same safetensors file, its metadata sorted: the library writes them in an order of chance."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_metadata(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Return (method, settings) of a checkpoint that zsadbench wrote; None for any other file."""
    if not path.is_file() or not _is_safetensors(path):
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as archive:
            metadata = archive.metadata() or {}
    except SafetensorError as failure:
        raise WeightsError(f"{path} is no valid safetensors file: {_first_line(failure)}") from failure
    if metadata.get("format") != FORMAT:
        return None
    return metadata["method"], json.loads(metadata["about"])


def load_state(module: Any, state: Mapping[str, Tensor], source: str) -> None:
    """Copy `state` into a torch module, every key and shape agreeing.

    Raises:
        WeightsError: a tensor is missing, superfluous or of another shape.
    """
    check_state(module.state_dict(), state, source)
    module.load_state_dict(state)


def check_state(own: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str) -> None:
    """Raise `WeightsError` unless `state` has the names and shapes of `own`, and no others."""
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or extra:
        raise WeightsError(
            f"{source}: tensors missing: {missing[:3]}, not expected: {extra[:3]}; is it another method's?"
        )
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            found, wanted = list(state[name].shape), list(tensor.shape)
            raise WeightsError(
                f"{source}: '{name}' has shape {found}, {wanted} is needed; was it made on another backbone?"
            )
