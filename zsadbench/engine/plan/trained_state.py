"""Trained parameters from a file: our own checkpoints and the methods' published ones, told apart by what is inside."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.checkpoints import read_archive, read_metadata
from zsadbench.errors import WeightsError
from zsadbench.files import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.types import MethodCard


def read_state(card: MethodCard, path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under our names.

    Raises:
        WeightsError: the file is unreadable, unsafe or another method's.
    """
    known = read_metadata(path)
    if known and known[0] != card.name:
        raise WeightsError(f"checkpoint '{path}' was trained for '{known[0]}', not for '{card.name}'")
    if known:
        return dict(read_archive(path))
    if card.official is None:
        raise WeightsError(f"checkpoint '{path}' was not written by zsadbench, and {card.name} has no published format")
    return card.official.read(card.official.companions(path))


def checkpoint_sha256(card: MethodCard, path: Path) -> str:
    """SHA-256 of a checkpoint; of one that is published in several files, that of their hashes in a row."""
    published = card.official is not None and read_metadata(path) is None
    files = sorted(card.official.companions(path)) if published and card.official else [path]
    hashes = [file_sha256(one) for one in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
