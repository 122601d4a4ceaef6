"""Read the tensors of a pickled torch module without importing its class or running code from it.

Some publications save the module itself instead of its state dict. Such a file names the classes of the module. Here
the classes that the caller expects become objects without behaviour, their parameters become tensors, and every other
name in the pickle is refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.integrity import check_size
from zsadbench.checkpoints.jit_archive import ArchiveReader, ModuleNode

if TYPE_CHECKING:
    from torch import Tensor

TENSORS = ("_parameters", "_buffers")


def read_module_archive(path: Path, classes: Collection[str]) -> dict[str, Tensor]:
    """Read every parameter and buffer of a module that `torch.save` wrote: dotted name → tensor on the CPU.

    Args:
        path: a zip file as torch 1.6 and later write it.
        classes: the module classes that may occur, as `package.module.Class`.

    Raises:
        WeightsError: the archive contains objects other than these classes, tensors and plain containers.
        KeyError: the file is no such archive.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if not pickles:
            raise KeyError("data.pkl")
        with archive.open(pickles[0]) as stream:
            root = _ModuleReader(stream, archive, pickles[0].removesuffix("data.pkl"), path, classes).load()
    tensors = dict(_tensors(root, ""))
    for name, tensor in tensors.items():
        check_size(name, tensor, str(path))
    return tensors


def _tensors(node: object, prefix: str) -> Iterator[tuple[str, Tensor]]:
    from torch import Tensor

    if not isinstance(node, ModuleNode):
        return
    for attribute in TENSORS:
        for name, tensor in _mapping(node, attribute).items():
            if isinstance(tensor, Tensor):
                yield f"{prefix}{name}", tensor
    for name, child in _mapping(node, "_modules").items():
        yield from _tensors(child, f"{prefix}{name}.")


def _mapping(node: ModuleNode, attribute: str) -> Mapping[str, Any]:
    value = node.attributes.get(attribute)
    return value if isinstance(value, Mapping) else {}


class _ModuleReader(ArchiveReader):
    """Also allows the given module classes, and the parameters and sets in pickled modules."""

    def __init__(
        self, stream: Any, archive: zipfile.ZipFile, prefix: str, path: Path, classes: Collection[str]
    ) -> None:
        super().__init__(stream, archive, prefix, path)
        self._classes = classes

    def find_class(self, module: str, name: str) -> Any:
        """Return the object for `module.name` in the pickle.

        Raises:
            WeightsError: the name is not allowed.
        """
        if f"{module}.{name}" in self._classes:
            return ModuleNode
        if name == "set" and module in {"__builtin__", "builtins"}:
            return set
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if (module, name) == ("torch", "device"):
            return _device
        return super().find_class(module, name)


def _device(*parts: object) -> str:
    """The device that a parallel module remembers; its tensors are read on the CPU."""
    return ":".join(map(str, parts))


def _parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor
