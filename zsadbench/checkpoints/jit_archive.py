"""Tensors out of a TorchScript archive, without running the archive.

OpenAI publishes CLIP as TorchScript: a zip with a pickle of the module tree (`data.pkl`), the raw
storages (`data/<key>`) and code. Loading it the usual way compiles that code and may run parts of
it. Here only the tree is read: module classes become inert bags of attributes, storages become
tensors, and every other name in the pickle is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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


class Bag:
    """A module of the archive: attributes by name, no behaviour."""

    attributes: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.attributes = state


def is_jit_archive(path: Path) -> bool:
    """Whether the file is a zip as TorchScript writes them."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_jit_archive(path: Path) -> dict[str, Tensor]:
    """Return every tensor of a TorchScript archive under its dotted name, on the CPU.

    Raises:
        WeightsError: the archive names anything but module classes and tensors.
    """
    with zipfile.ZipFile(path) as archive:
        prefix = next(name for name in archive.namelist() if name.endswith("/constants.pkl")).removesuffix(
            "constants.pkl"
        )
        with archive.open(f"{prefix}data.pkl") as stream:
            root = ArchiveReader(stream, archive, prefix, path).load()
    return dict(_tensors(root, ""))


def _tensors(node: object, name: str) -> Iterator[tuple[str, Tensor]]:
    from torch import Tensor

    if isinstance(node, Tensor):
        yield name, node
    elif isinstance(node, Bag):
        for key, child in node.attributes.items():
            yield from _tensors(child, f"{name}.{key}" if name else key)


class ArchiveReader(pickle.Unpickler):
    """The pickle of an archive: `find_class` says which names it may hold, storages are read from beside it."""

    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str, path: Path) -> None:
        super().__init__(stream)
        self._archive, self._prefix, self._path = archive, prefix, path
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What `module.name` in the pickle stands for.

        Raises:
            WeightsError: no archive of weights needs it.
        """
        if module.startswith("__torch__"):
            return Bag
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): rebuild,
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
        """A storage of the archive as a flat tensor, read once."""
        import torch

        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, str):
            raise WeightsError(f"{self._path} is refused: unknown storage '{pid}'")
        if key not in self._storages:
            raw = bytearray(self._archive.read(f"{self._prefix}data/{key}"))
            flat = (
                torch.frombuffer(raw, dtype=getattr(torch, dtype))
                if raw
                else torch.empty(0, dtype=getattr(torch, dtype))
            )
            if flat.numel() < count:
                raise WeightsError(f"{self._path} is truncated: storage '{key}' has {flat.numel()} of {count} numbers")
            self._storages[key] = flat
        return self._storages[key]


def rebuild(flat: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    """A tensor of a storage; `as_strided` checks the bounds."""
    return flat.as_strided(tuple(size), tuple(stride), offset)
