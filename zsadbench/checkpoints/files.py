"""Read and write checkpoint files.

Published checkpoints are pickles, and loading a pickle can run code. No code from a file is run here: `read_archive`
uses PyTorch's restricted reader (tensors, plain containers, NumPy scalars), TorchScript archives are read by
`zsadbench.checkpoints.jit_archive` and pickled modules by `zsadbench.checkpoints.module_archive`. Checkpoints are
written as safetensors.
"""

from __future__ import annotations

import json
import pickle
import struct
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.file_kind import FETCH, ZIP, check_kind
from zsadbench.checkpoints.integrity import check_tensors, digest_of
from zsadbench.checkpoints.jit_archive import is_jit_archive, read_jit_archive
from zsadbench.checkpoints.module_archive import read_module_archive
from zsadbench.checkpoints.zip_lengths import check_lengths
from zsadbench.errors import WeightsError
from zsadbench.files import DAMAGED, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "zsadbench-checkpoint/1"
TABLES = ("options", "aux", "recipe")  # settings that are tables
PICKLE = b"\x80"  # the first byte of a pickle
CUT = (
    "incomplete metadata",
    "unexpected EOF",
    "truncated",
    "Ran out of input",
)  # how readers say that a file is cut off


def read_archive(path: Path) -> Any:
    """Read a safetensors file, a `torch.save` file or a TorchScript archive without running code from it.

    Returns:
        For safetensors and TorchScript a dict of tensors, else the saved object; tensors are on the CPU.

    Raises:
        WeightsError: the file is missing, truncated, of unknown format, or contains objects other than tensors,
            numbers, strings and plain containers; the message says what it is where its first bytes tell.
    """
    check_kind(path)
    try:
        if _is_safetensors(path):
            return _read_safetensors(path)
        check_lengths(path)
        return read_jit_archive(path) if is_jit_archive(path) else _read_torch(path)
    except DAMAGED as failure:
        raise _unreadable(path, "a checkpoint (safetensors, torch.save or TorchScript)", failure) from failure


def read_modules(path: Path, classes: Collection[str]) -> dict[str, Tensor]:
    """Read a pickled module without running code from it.

    Args:
        path: a file that `torch.save(module)` wrote.
        classes: the module classes that it may contain, as `package.module.Class`.

    Returns:
        Its parameters and buffers by dotted name, on the CPU.

    Raises:
        WeightsError: the file is missing, truncated, not a module, or contains other classes.
    """
    check_kind(path)
    try:
        check_lengths(path)
        return read_module_archive(path, classes)
    except DAMAGED as failure:
        raise _unreadable(path, "a saved module", failure) from failure


def _unreadable(path: Path, what: str, failure: BaseException) -> WeightsError:
    """Make the error for a file that cannot be read as `what`."""
    ended = isinstance(failure, EOFError | struct.error | IndexError)  # an index behind the last byte of a pickle
    if ended or any(sign in str(failure) for sign in CUT):
        return WeightsError(f"{path} is cut off: the file ends before its content does; {FETCH}")
    return WeightsError(f"{path} cannot be read as {what}: {_first_line(failure)}")


def _is_safetensors(path: Path) -> bool:
    """Whether a file is safetensors by its content, or by its name where the content says nothing else."""
    with path.open("rb") as stream:
        head = stream.read(9)
    if path.suffix == ".safetensors" and not head.startswith((*ZIP, PICKLE)):
        return True
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as failure:
        raise _unreadable(path, "safetensors", failure) from failure


def _read_torch(path: Path) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)  # any protocol is checked
            with path.open("rb") as stream:  # torch does not look into a file that is called .safetensors
                source = stream if path.suffix == ".safetensors" else path
                return torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        if any(sign in str(failure) for sign in CUT):
            raise _unreadable(path, "a checkpoint", failure) from failure
        raise WeightsError(
            f"{path} is refused: it is no pickle of tensors and plain values alone, "
            f"and loading anything else could run foreign code ({_culprit(failure)})"
        ) from failure


def _numpy_scalars() -> list[Any]:
    """The function that rebuilds NumPy scalars, under its names in NumPy 1 and 2, and the number types."""
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
    if isinstance(failure, MemoryError):
        return "there is not enough memory for it"
    lines = str(failure).splitlines()
    return lines[0] if lines else type(failure).__name__


def write_checkpoint(path: Path, state: Mapping[str, Tensor], method: str, about: Mapping[str, Any]) -> None:
    """Write a trained state dict as safetensors, atomically.

    Args:
        path: the file.
        state: the state dict.
        method: the name of the method, for the metadata.
        about: the settings of the training, for the metadata.

    Raises:
        WeightsError: a tensor holds NaN or infinity.
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    check_tensors(state, f"checkpoint '{path}' is not written")
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    about_text = json.dumps(about, sort_keys=True)
    metadata = {"format": FORMAT, "method": method, "about": about_text, "digest": digest_of(tensors)}
    write_atomically(path, _sort_metadata(save(tensors, metadata=metadata)))


def _sort_metadata(content: bytes) -> bytes:
    """Sort the metadata of a safetensors file, which the library writes in random order."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_metadata(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Read (method, settings) from a checkpoint written by `write_checkpoint`; None for any other file.

    Raises:
        WeightsError: the file is invalid safetensors, or its metadata are damaged.
    """
    metadata = _read_raw_metadata(path)
    if metadata.get("format") != FORMAT:
        return None
    try:
        about = json.loads(metadata["about"])
        method = metadata["method"]
    except (KeyError, ValueError, RecursionError) as failure:
        raise WeightsError(f"{path}: the metadata of this checkpoint are damaged: {failure}") from failure
    if not isinstance(about, dict):
        raise WeightsError(f"{path}: the metadata of this checkpoint are damaged: 'about' is no table")
    for key in TABLES:
        if not isinstance(about.get(key), dict | None):
            raise WeightsError(f"{path}: the metadata of this checkpoint are damaged: '{key}' is no table")
    return method, about


def check_digest(path: Path, state: Mapping[str, Tensor]) -> None:
    """Check the tensors of a checkpoint against the digest in its metadata; older files have none.

    Raises:
        WeightsError: they differ.
    """
    digest = _read_raw_metadata(path).get("digest")
    if digest is not None and digest != digest_of(state):
        raise WeightsError(f"{path} is damaged: its tensors are not those that were written; restore it or train again")


def _read_raw_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; empty for any other file.

    Raises:
        WeightsError: the file is invalid safetensors.
    """
    if not path.is_file() or not _is_safetensors(path):
        return {}
    check_kind(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as archive:
            return dict(archive.metadata() or {})
    except SafetensorError as failure:
        raise _unreadable(path, "safetensors", failure) from failure


def load_state(module: Any, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict into a torch module; error messages name its `source`.

    A module with a method `expect_state(state)`, whose tensors depend on the file, is told of the state before.

    Raises:
        WeightsError: names or shapes differ from those of the module.
    """
    getattr(module, "expect_state", lambda state: None)(state)
    check_state(module.state_dict(), state, source)
    module.load_state_dict(state)


def check_state(needed: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str) -> None:
    """Check that `state` has exactly the names and shapes of `needed`; error messages name its `source`.

    Raises:
        WeightsError: it has not.
    """
    missing, extra = sorted(needed.keys() - state.keys()), sorted(state.keys() - needed.keys())
    if missing or extra:
        raise WeightsError(
            f"{source}: tensors missing: {missing[:3]}, not expected: {extra[:3]}; is it another method's?"
        )
    for name, tensor in needed.items():
        if state[name].shape != tensor.shape:
            raise WeightsError(
                f"{source}: '{name}' has shape {list(state[name].shape)}, {list(tensor.shape)} is needed; "
                "was it made on another backbone?"
            )
