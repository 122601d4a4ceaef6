"""The files below a root, each once, found again whatever the case of their extension."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from zsadbench.errors import DataError

LITTER = "__MACOSX"  # a folder of shadows that macOS puts into archives


class Tree:
    """Every file below `root`, as posix paths relative to it, sorted.

    Hidden files and folders are passed over (`.DS_Store`, `._000.png`), and so is `__MACOSX`. Links to folders are
    followed, but never back into a folder that is being walked; a link that leads nowhere is no file. `stray`
    are the links of both kinds. `spellings` are the absolute paths of the root, as given and with links resolved.

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
        """The file called `path`, or the one whose extension differs only in case; None when there is none."""
        return path if path in self._exact else self._by_key.get(_key(path))

    def oddities(self) -> list[str]:
        """What a reader of the tree should know: links that lead nowhere, names that only their case tells apart."""
        alike: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            alike[path.casefold()].append(path)
        twins = [f"'{names[0]}' and '{names[1]}'" for names in alike.values() if len(names) > 1]
        links = [f"'{path}'" for path in sorted(self.stray)]
        kinds = ((links, "links lead nowhere or in a circle"), (twins, "names differ in nothing but case"))
        return [f"{len(found)} {what}, first {found[0]} in '{self.root}'" for found, what in kinds if found]

    def _walk(self, folder: Path, prefix: str, trail: tuple[str, ...]) -> Iterator[str]:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not passed_over(entry.name)]
        for entry in visible:
            link = entry.is_symlink()
            if os.path.isdir(entry.path) if link else entry.is_dir():  # noqa: PTH112  (it never raises)
                real = os.path.realpath(entry.path) if link else f"{trail[-1]}/{entry.name}"
                if real in trail:
                    self.stray.append(prefix + entry.name)
                else:
                    yield from self._walk(Path(entry.path), f"{prefix}{entry.name}/", (*trail, real))
            elif link and not os.path.exists(entry.path):  # noqa: PTH110
                self.stray.append(prefix + entry.name)
            else:
                yield prefix + entry.name


class Named(Tree):
    """A root whose files are not listed but looked up one by one, exactly as they are called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files, self.stray = [], []
        self.spellings = (root.absolute().as_posix(), root.resolve().as_posix())

    def find(self, path: str) -> str | None:
        """The file called `path`; None when there is none."""
        return path if path and os.path.isfile(self.root / path) else None  # noqa: PTH113  (Path may raise)


def passed_over(name: str) -> bool:
    """Whether a file or folder is hidden, or litter of an operating system."""
    return name.startswith(".") or name == LITTER


def _key(path: str) -> str:
    stem, extension = os.path.splitext(path)  # noqa: PTH122  (paths here are text, relative and posix)
    return stem + extension.casefold()
