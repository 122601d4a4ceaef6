"""Check, before any work, that what `--out` names can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zsadbench.errors import UsageError

LONGEST_NAME, LONGEST_PATH = 255, 4096  # bytes, on all common file systems
SPARE = 256  # bytes of a path that names below the folder may need


def check_out(out: Path) -> None:
    """Check that files can be written below the folder `out`, which need not exist; it is not made.

    Raises:
        UsageError: they cannot.
    """
    _check(out, out.absolute())


def check_out_file(out: Path) -> None:
    """Check that the file `out` can be written, and that there is no folder of this name.

    Raises:
        UsageError: it cannot, or there is.
    """
    _check(out, out.absolute().parent)
    if len(os.fsencode(out.name)) > LONGEST_NAME:
        raise UsageError(f"--out '{out}' cannot be written: the name is longer than {LONGEST_NAME} bytes")
    if out.is_dir():
        raise UsageError(f"--out '{out}' cannot be written: it is a folder; name a file in it")


def _check(out: Path, folder: Path) -> None:
    """Check that a folder is there and takes new files, or can be made.

    Raises:
        UsageError: a part of its path is no folder, takes no files or has too long a name.
    """
    try:
        if "\0" in str(folder):
            raise UsageError(f"--out '{out}' cannot be written: it holds a NUL")
        if len(os.fsencode(folder)) > LONGEST_PATH - SPARE:
            raise UsageError(f"--out '{out}' cannot be written: the path is longer than {LONGEST_PATH - SPARE} bytes")
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in folder.parts):
            raise UsageError(f"--out '{out}' cannot be written: a name in it is longer than {LONGEST_NAME} bytes")
        existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not existing.is_dir():
            what = "a link that leads nowhere" if existing.is_symlink() and not existing.exists() else "no folder"
            raise UsageError(f"--out '{out}' cannot be written: '{existing}' is {what}")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as failure:
        raise UsageError(
            f"--out '{out}' cannot be written: '{folder}' is no folder that this user may write to ({failure.strerror})"
        ) from failure
