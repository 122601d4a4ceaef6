"""Keep a trained checkpoint in the cache; a training is not lost because the cache cannot be written."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import write_checkpoint
from zsadbench.clip import cache_folder
from zsadbench.files import locked

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
REPLACEABLE = ("tokens", "images")  # folders of the cache that a later run fills again


@contextmanager
def only_trainer(path: Path, method: str) -> Iterator[None]:
    """Hold the lock of a checkpoint while it is looked for and trained; without a lock where none can be written."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, f"{method}: another process trains this checkpoint; waiting for it"))
        except OSError as failure:
            log.info("'%s' cannot be locked: %s; another process may train it as well", path, failure)
        yield


def keep_checkpoint(path: Path, state: Mapping[str, Tensor], method: str, about: Mapping[str, Any]) -> bool:
    """Write a checkpoint into the cache and return whether it is there now; a warning names one that is not kept.

    On a full disk the cached tokens and images are removed first, which takes less time to replace than a training.
    """
    try:
        try:
            write_checkpoint(path, state, method, about)
        except OSError as failure:
            if failure.errno not in FULL or not _make_room():
                raise
            write_checkpoint(path, state, method, about)
    except OSError as failure:
        reason = failure.strerror or failure
        log.warning("%s is trained and used, but its checkpoint '%s' cannot be written: %s", method, path, reason)
        return False
    return True


def _make_room() -> bool:
    """Remove cached tokens and images; return whether there were any."""
    folders = [folder for name in REPLACEABLE if (folder := cache_folder() / name).is_dir()]
    for folder in folders:
        log.warning("the disk is full: '%s' is removed to keep a checkpoint", folder)
        shutil.rmtree(folder, ignore_errors=True)
    return bool(folders)
