"""Read the one file in which a method is published. Importing it imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.checkpoints import entry_names, published_tensors, read_archive
from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def read_one_file(
    paths: Sequence[Path],
    names: Mapping[str, str],
    method: str,
    foreign: Callable[[set[str]], str] = lambda words: "",
) -> dict[str, Tensor]:
    """Read one published file, whatever it is wrapped in: the tensors that are used, in float32, under our names.

    Args:
        paths: the files that were given.
        names: published tensor name → ours, for every tensor that is used.
        method: the name in messages, such as `FB-CLIP`.
        foreign: given the words of all names in the file, says why it is one of another method, or nothing.

    Raises:
        WeightsError: it is not one file, it belongs to another method, or a tensor that is used is missing.
    """
    if len(paths) != 1:
        raise WeightsError(f"{method} publishes one checkpoint file, {len(paths)} were given")
    (path,) = paths
    raw, what = read_archive(path), f"{method} checkpoint"
    if why := foreign({word for name in entry_names(raw) for word in name.split(".")}):
        raise WeightsError(f"{path} is no {what}{why}")
    tensors = published_tensors(raw, names, str(path), what)
    return {ours: tensors[theirs].float() for theirs, ours in names.items()}
