"""List the files below a root, and find files and folders even if their names are written in another case."""

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
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
        self._folded: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            self._folded[path.casefold()].append(path)

    def find(self, path: str) -> str | None:
        """The file at `path`, else one whose extension differs only in case, else the only one that differs in case."""
        if path in self._exact:
            return path
        folded = self._folded.get(path.casefold(), [])
        return self._by_key.get(_key(path)) or (folded[0] if len(folded) == 1 else None)

    def files_in(self, folder: str) -> list[str]:
        """The files of a folder, without those of the folders in it; the case of its name does not matter."""
        return self._by_folder.get(folder.casefold(), [])

    @cached_property
    def _by_folder(self) -> dict[str, list[str]]:
        by_folder: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            by_folder[posixpath.dirname(path).casefold()].append(path)
        return by_folder

    def oddities(self) -> list[str]:
        """Notes about links that lead nowhere or in a circle, and about names that differ only in case."""
        twins = [f"'{names[0]}' and '{names[1]}'" for names in self._folded.values() if len(names) > 1]
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
        self.files, self.stray, self._folded = [], [], {}
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


class CaseBlind:
    """Find files and folders below `root` whose names may be written in another case; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folded: dict[Path, dict[str, list[str]]] = {}

    def find(self, relative: str) -> Path | None:
        """The file or folder at a POSIX path, else the only one that differs in case; None if there is none.

        Does not raise: where access is denied, nothing exists.
        """
        path = self.root
        for part in relative.split("/"):
            exact = path / part
            if not os.path.exists(exact):  # noqa: PTH110  (Path.exists raises if access is denied)
                names = self._listed(path).get(part.casefold(), [])
                if len(names) != 1:
                    return None
                exact = path / names[0]
            path = exact
        return path

    def _listed(self, folder: Path) -> dict[str, list[str]]:
        """Folded name → names of the entries of a folder."""
        if folder not in self._folded:
            by_name = self._folded[folder] = defaultdict(list)
            try:
                for name in os.listdir(folder):  # noqa: PTH208  (names alone)
                    by_name[name.casefold()].append(name)
            except OSError:
                pass
        return self._folded[folder]
