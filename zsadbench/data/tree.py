"""The files below a root, each once, found again whatever the case of their extension."""

import os
from collections.abc import Iterator
from pathlib import Path

from zsadbench.errors import DataError


class Tree:
    """Every file below `root`, as posix paths relative to it, sorted.

    Hidden files and folders are passed over (`.DS_Store`, `._000.png`). Links to folders are followed,
    but never back into a folder that is being walked; a link that leads nowhere is no file. `spellings` are the
    absolute paths of the root, as given and with links resolved.

    Raises:
        DataError: a folder cannot be listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self.files = sorted(_walk(root, "", (os.path.realpath(root),)))
        except OSError as failure:
            raise DataError(f"'{failure.filename}' cannot be listed: {failure.strerror}") from failure
        self.spellings = (root.absolute().as_posix(), root.resolve().as_posix())
        self._exact = set(self.files)
        self._by_key = {_key(path): path for path in reversed(self.files)}

    def find(self, path: str) -> str | None:
        """The file called `path`, or the one whose extension differs only in case; None when there is none."""
        return path if path in self._exact else self._by_key.get(_key(path))


def _key(path: str) -> str:
    stem, extension = os.path.splitext(path)  # noqa: PTH122  (paths here are text, relative and posix)
    return stem + extension.casefold()


def _walk(folder: Path, prefix: str, trail: tuple[str, ...]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in visible:
        link = entry.is_symlink()
        if os.path.isdir(entry.path) if link else entry.is_dir():  # noqa: PTH112  (it never raises)
            real = os.path.realpath(entry.path) if link else f"{trail[-1]}/{entry.name}"
            if real not in trail:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*trail, real))
        elif not link or os.path.exists(entry.path):  # noqa: PTH110
            yield prefix + entry.name
