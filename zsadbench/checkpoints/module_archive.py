"""Tensors out of a pickled torch module, without importing its class or running anything of it.

Some publications save the module itself in place of its state dict. Such a file names the classes that the
module was made of; here those that the caller expects become inert bags, their parameters become tensors, and
every other name in the pickle is refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.jit_archive import ArchiveReader, Bag

if TYPE_CHECKING:
    from torch import Tensor

TENSORS = ("_parameters", "_buffers")


def read_module_archive(path: Path, classes: Collection[str]) -> dict[str, Tensor]:
    """Return every parameter and buffer of a module that `torch.save` wrote, under its dotted name, on the CPU.

    Args:
        path: a zip as torch 1.6 and later write it.
        classes: the module classes that may occur, as `package.module.Class`.

    Raises:
        WeightsError: the archive names anything but these classes, tensors and plain containers.
        KeyError: it is no such archive.
    """
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if not found:
            raise KeyError("data.pkl")
        with archive.open(found[0]) as stream:
            root = _ModuleReader(stream, archive, found[0].removesuffix("data.pkl"), path, classes).load()
    return dict(_tensors(root, ""))


def _tensors(node: object, before: str) -> Iterator[tuple[str, Tensor]]:
    from torch import Tensor

    if not isinstance(node, Bag):
        return
    for part in TENSORS:
        for name, tensor in _table(node, part).items():
            if isinstance(tensor, Tensor):
                yield f"{before}{name}", tensor
    for name, child in _table(node, "_modules").items():
        yield from _tensors(child, f"{before}{name}.")


def _table(node: Bag, name: str) -> Mapping[str, Any]:
    table = node.attributes.get(name)
    return table if isinstance(table, Mapping) else {}


class _ModuleReader(ArchiveReader):
    """Also lets the given classes through, and what pickled modules hold besides tensors: parameters and sets."""

    def __init__(
        self, stream: Any, archive: zipfile.ZipFile, prefix: str, path: Path, classes: Collection[str]
    ) -> None:
        super().__init__(stream, archive, prefix, path)
        self._classes = classes

    def find_class(self, module: str, name: str) -> Any:
        """What `module.name` in the pickle stands for.

        Raises:
            WeightsError: it is none of the classes, and no module of tensors needs it.
        """
        if f"{module}.{name}" in self._classes:
            return Bag
        if name == "set" and module in {"__builtin__", "builtins"}:
            return set
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        return super().find_class(module, name)


def _parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor
