"""Read the tensors of a TorchScript archive without running code from it.

OpenAI publishes CLIP as TorchScript: a zip file with a pickle of the module tree (`data.pkl`), the storages
(`data/<key>`) and code. `torch.jit.load` compiles that code and may run parts of it. Here only the tree is read:
modules become objects without behaviour, storages become tensors, and every other name in the pickle is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.integrity import check_size
from zsadbench.checkpoints.zip_lengths import read_entry
from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

STORAGES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "BoolStorage": "bool",
}


class ModuleNode:
    """A module in the archive: attributes by name, without behaviour."""

    attributes: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.attributes = state


def is_jit_archive(path: Path) -> bool:
    """Whether the file is a zip file written by TorchScript."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_jit_archive(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a TorchScript archive: dotted name → tensor on the CPU.

    Raises:
        WeightsError: the pickle contains objects other than modules, tensors and plain containers.
    """
    with zipfile.ZipFile(path) as archive:
        prefix = next(name for name in archive.namelist() if name.endswith("/constants.pkl")).removesuffix(
            "constants.pkl"
        )
        with archive.open(f"{prefix}data.pkl") as stream:
            root = ArchiveReader(stream, archive, prefix, path).load()
    tensors = dict(_tensors(root, ""))
    for name, tensor in tensors.items():
        check_size(name, tensor, str(path))
    return tensors


def _tensors(node: object, name: str) -> Iterator[tuple[str, Tensor]]:
    from torch import Tensor

    if isinstance(node, Tensor):
        yield name, node
    elif isinstance(node, ModuleNode):
        for key, child in node.attributes.items():
            yield from _tensors(child, f"{name}.{key}" if name else key)


class ArchiveReader(pickle.Unpickler):
    """Unpickles the tree of an archive: `find_class` allows only some names; storages come from the zip file."""

    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str, path: Path) -> None:
        super().__init__(stream)
        self._archive, self._prefix, self._path = archive, prefix, path
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the object for `module.name` in the pickle.

        Raises:
            WeightsError: the name is not allowed.
        """
        if module.startswith("__torch__"):
            return ModuleNode
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _: value,
            ("torch.jit._pickle", "build_intlist"): list,
            ("torch.jit._pickle", "build_doublelist"): list,
            ("torch.jit._pickle", "build_boollist"): list,
            ("torch.jit._pickle", "build_tensorlist"): list,
        }
        if (module, name) not in allowed:
            raise WeightsError(
                f"{self._path} is refused: it names '{module}.{name}', which no archive of weights needs"
            )
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        """Read a storage of the archive, once, as a flat tensor."""
        import torch

        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, str):
            raise WeightsError(f"{self._path} is refused: unknown storage '{pid}'")
        if key not in self._storages:
            number: torch.dtype = getattr(torch, dtype)
            raw = bytearray(read_entry(self._archive, f"{self._prefix}data/{key}", int(count) * number.itemsize))
            flat = torch.frombuffer(raw, dtype=number) if raw else torch.empty(0, dtype=number)
            if flat.numel() < count:
                raise WeightsError(f"{self._path} is truncated: storage '{key}' has {flat.numel()} of {count} numbers")
            self._storages[key] = flat
        return self._storages[key]


def rebuild_tensor(flat: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    """Make a tensor from its storage; `as_strided` checks the bounds."""
    return flat.as_strided(tuple(size), tuple(stride), offset)
