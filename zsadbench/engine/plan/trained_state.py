"""Read trained parameters from a file: a checkpoint of zsadbench, or one that the method's authors published."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.checkpoints import check_digest, check_tensors, read_archive, read_metadata
from zsadbench.errors import WeightsError, ZsadError
from zsadbench.files import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.types import MethodCard


def read_state(card: MethodCard, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by their names in zsadbench; the content of the file decides its format.

    Raises:
        WeightsError: the file is unreadable, unsafe, damaged or another method's, or a tensor holds NaN or infinity.
    """
    metadata = read_metadata(path)
    if metadata and metadata[0] != card.name:
        raise WeightsError(f"checkpoint '{path}' was trained for '{metadata[0]}', not for '{card.name}'")
    if metadata:
        state = dict(read_archive(path))
        check_digest(path, state)
    else:
        state = _read_published(card, path)
    check_tensors(state, f"checkpoint '{path}'")
    return state


def _read_published(card: MethodCard, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint that the authors of the method published.

    Raises:
        WeightsError: the file is unreadable, unsafe or another method's, or the method fails to read it.
    """
    if card.official is None:
        raise WeightsError(f"checkpoint '{path}' was not written by zsadbench, and {card.name} has no published format")
    try:
        return dict(card.official.read(card.official.companions(path)))
    except ZsadError:
        raise
    except Exception as failure:
        raise WeightsError(
            f"checkpoint '{path}' cannot be read as one of '{card.name}': {type(failure).__name__}: {failure}"
        ) from failure


def checkpoint_sha256(card: MethodCard, path: Path) -> str:
    """Return the SHA-256 of a checkpoint; of a published one in several files, that of their joined hex hashes."""
    published = card.official is not None and read_metadata(path) is None
    files = sorted(card.official.companions(path)) if published and card.official else [path]
    hashes = [file_sha256(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
