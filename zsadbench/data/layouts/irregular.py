"""Refuse, before anything is opened, what is no file of the copy.

A pipe, a socket or a device under the name of an image would be waited for without end. A row of a user's table may
lead out of the table's folder through a link.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError

KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


def check_regular(name: str, root: Path, samples: Sequence[Sample], *, links: bool) -> None:
    """Check that images and masks that are there are regular files, and lie below the root once links are followed.

    Args:
        name: the data set, for messages.
        root: the folder of the copy.
        samples: the samples, with paths relative to the root.
        links: whether links may lead out of the root.

    Raises:
        DataError: a file is not; the first is named.
    """
    real = os.path.realpath(root).rstrip(os.sep) + os.sep
    for sample in samples:
        for relative in filter(None, (sample.image, sample.mask)):
            path = f"{root}{os.sep}{relative}"
            if not links and not (target := os.path.realpath(path)).startswith(real):
                raise DataError(
                    f"{name}: '{relative}' ({sample.named_in}) leads out of '{root}' through a link, to '{target}'; "
                    "copy the file into the folder, or put the table into a folder above both"
                )
            if kind := _irregular_kind(path):
                raise DataError(f"{name}: '{path}' is {kind}, not a file; remove it, or leave it out of the table")


def _irregular_kind(path: str) -> str:
    """What a path is that is there and no regular file; empty for files, and for what is not there."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (called once per file)
    except OSError:
        return ""
    if stat.S_ISREG(mode):
        return ""
    return next((what for is_kind, what in KINDS if is_kind(mode)), "a folder")
