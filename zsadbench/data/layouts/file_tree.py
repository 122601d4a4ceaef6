"""List the files below a root, and find a file even if its extension is written in another case."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from zsadbench.errors import DataError

MACOS_FOLDER = "__MACOSX"  # macOS adds this folder of metadata to archives


class FileTree:
    """All files below `root`.

    `files` are POSIX paths relative to the root, sorted. Hidden files and folders (`.DS_Store`, `._000.png`) and
    `__MACOSX` are ignored. Links to folders are followed, except back into a folder that contains the link; such
    links, and links whose target does not exist, are in `stray`. `spellings` are the absolute paths of the root, as
    given and with links resolved.

    Raises:
        DataError: a folder cannot be listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stray: list[str] = []
        try:
            self.files = sorted(self._walk(root, "", (os.path.realpath(root),)))
        except OSError as failure:
            raise DataError(f"'{failure.filename}' cannot be listed: {failure.strerror}") from failure
        self.spellings = (root.absolute().as_posix(), root.resolve().as_posix())
        self._exact = set(self.files)
        self._by_key = {_key(path): path for path in reversed(self.files)}

    def find(self, path: str) -> str | None:
        """The file at `path`, or the file whose extension differs only in case; None if there is neither."""
        return path if path in self._exact else self._by_key.get(_key(path))

    def oddities(self) -> list[str]:
        """Notes about links that lead nowhere or in a circle, and about names that differ only in case."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            by_name[path.casefold()].append(path)
        twins = [f"'{names[0]}' and '{names[1]}'" for names in by_name.values() if len(names) > 1]
        links = [f"'{path}'" for path in sorted(self.stray)]
        kinds = ((links, "links lead nowhere or in a circle"), (twins, "names differ in nothing but case"))
        return [f"{len(cases)} {what}, first {cases[0]} in '{self.root}'" for cases, what in kinds if cases]

    def _walk(self, folder: Path, prefix: str, parents: tuple[str, ...]) -> Iterator[str]:
        """Relative paths of the files in `folder`; `parents` are the resolved folders above and `folder` itself."""
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not is_ignored(entry.name)]
        for entry in visible:
            link = entry.is_symlink()
            if os.path.isdir(entry.path) if link else entry.is_dir():  # noqa: PTH112  (it never raises)
                target = os.path.realpath(entry.path) if link else f"{parents[-1]}/{entry.name}"
                if target in parents:
                    self.stray.append(prefix + entry.name)
                else:
                    yield from self._walk(Path(entry.path), f"{prefix}{entry.name}/", (*parents, target))
            elif link and not os.path.exists(entry.path):  # noqa: PTH110
                self.stray.append(prefix + entry.name)
            else:
                yield prefix + entry.name


class FileLookup(FileTree):
    """Look up files one by one by their exact path; no folder is listed and `files` is empty."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files, self.stray = [], []
        self.spellings = (root.absolute().as_posix(), root.resolve().as_posix())

    def find(self, path: str) -> str | None:
        """The file at `path`; None if there is none."""
        return path if path and os.path.isfile(self.root / path) else None  # noqa: PTH113  (Path may raise)


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden, or metadata of an operating system."""
    return name.startswith(".") or name == MACOS_FOLDER


def _key(path: str) -> str:
    """The path with its extension in lower case."""
    stem, extension = os.path.splitext(path)  # noqa: PTH122  (paths here are text, relative and POSIX)
    return stem + extension.casefold()
