"""The cache: what is in it, how much, and clearing it without touching anything that zsadbench did not write.

The folder may be one that the user keeps other files in (`ZSADBENCH_CACHE=~`), so nothing is recognised by its folder
alone: every entry has the form of a name that zsadbench gives, and everything else stays. Links are not followed below
a part of the cache: a link that stands in the place of an entry is removed itself, and what it leads to stays.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zsadbench.clip import cache_folder
from zsadbench.clip.weights import OPENAI_FILES
from zsadbench.errors import unknown

KEY, HASH = r"[0-9a-f]{32}", r"[0-9a-f]{64}"
UNFINISHED = r"([^/]+/)?\.[^/]{1,50}\.[0-9a-f]{8}\.unfinished"  # see `zsadbench.files`
OPENAI = "|".join(re.escape(name) for _, name in OPENAI_FILES.values())
# Files of open_clip's and torchvision's releases, named with the first digits of their SHA-256, and folders of the hub.
RELEASES = r"[\w.-]+-[0-9a-f]{8}\.(pt|pth)"


@dataclass(frozen=True)
class Part:
    """One folder of the cache.

    Attributes:
        name: of the folder.
        what: what it holds.
        entries: the form of its entries, files or whole folders, relative to it.
        costly: whether it takes a download or a training to make it again.
    """

    name: str
    what: str
    entries: str
    costly: bool = False


TRAINED = r"[0-9a-f]{16}\.(safetensors|epoch|thresholds\.json)"
PARTS = (
    Part("weights", "downloaded weights", rf"(\.locks/)?models--[^/]+|CACHEDIR\.TAG|{OPENAI}|{RELEASES}", costly=True),
    Part("checkpoints", "trained checkpoints", rf"[\w.-]+/{TRAINED}", costly=True),
    Part("tokens", "tokens that methods learn from", rf"{KEY}/{KEY}-[\w.-]+"),
    Part("images", "resized images", rf"{KEY}/{KEY}"),
    Part("demo", "generated data sets", r"[\w-]+-\d+-[0-9a-f]{12}|\.drawing-\w{8}|drawing"),
    Part("files", "hashes of files", rf"{KEY}\.npz"),
    Part("hashes", "hashes of pixels", rf"{HASH}\.npz"),
    Part("masks", "facts about masks", rf"{HASH}\.json"),
    Part("areas", "sizes of regions", rf"{KEY}\.json"),
    Part("kernels", "compiled kernels", r"([\w.-]+/)*[\w.<>-]+\.nb[ic]"),
)


@dataclass(frozen=True)
class PartState:
    """What a part of the cache holds: the entries that are its own, their size, and files that are not its own."""

    part: Part
    folder: Path
    entries: tuple[Path, ...]
    files: int
    size: int
    foreign: int


def part_states(names: Sequence[str] = ()) -> list[PartState]:
    """Return the state of every part of the cache, or of those named.

    Raises:
        UsageError: there is no part of this name.
    """
    known = {part.name: part for part in PARTS}
    for name in names:
        if name not in known:
            raise unknown("part of the cache", name, known)
    return [_state(part, cache_folder() / part.name) for part in PARTS if not names or part.name in names]


def other_entries() -> list[Path]:
    """Return what else lies in the folder of the cache; nothing of it is ever removed."""
    folder, known = cache_folder(), {part.name for part in PARTS}
    return sorted(path for path in folder.iterdir() if path.name not in known) if folder.is_dir() else []


def clear(states: Sequence[PartState]) -> tuple[int, int]:
    """Remove the entries of parts, and their folders where nothing else is in them.

    Entries that another process has removed count as removed.

    Returns:
        The number of files and of bytes removed.

    Raises:
        OSError: an entry cannot be removed.
    """
    files = size = 0
    for state in states:
        for entry in state.entries:
            count, number = _measure(entry)
            _remove(entry)
            files, size = files + count, size + number
            _remove_empty(entry.parent, state.folder)
    return files, size


def _state(part: Part, folder: Path) -> PartState:
    own = re.compile(rf"({part.entries}|{UNFINISHED})\Z")
    entries, foreign = [], 0
    for path, relative in _walk(folder, "", own):
        if own.match(_without_lock(relative)):
            entries.append(path)
        else:
            foreign += 1
    sizes = [_measure(entry) for entry in entries]
    return PartState(
        part, folder, tuple(sorted(entries)), sum(count for count, _ in sizes), sum(size for _, size in sizes), foreign
    )


def _without_lock(relative: str) -> str:
    """Return the path of the entry whose lock this is; any other path as it is."""
    return re.sub(r"(\A|/)\.([^/]+)\.lock\Z", r"\1\2", relative)


def _walk(folder: Path, prefix: str, own: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """Yield entries, and files that are none, with their paths below the part; other folders are entered."""
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        relative = f"{prefix}{child.name}"
        if child.is_dir() and not child.is_symlink() and not own.match(relative):
            yield from _walk(child, f"{relative}/", own)
        else:
            yield child, relative


def _measure(entry: Path) -> tuple[int, int]:
    """Return the number of files of an entry and their size in bytes; links count as files without a size."""
    if entry.is_symlink() or not entry.is_dir():
        return 1, 0 if entry.is_symlink() else _size(entry)
    files = [Path(parent) / name for parent, _, names in os.walk(entry) for name in names]
    return len(files), sum(0 if file.is_symlink() else _size(file) for file in files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)  # follows no links
    else:
        entry.unlink(missing_ok=True)


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder, and those above it up to `top`, as far as they are empty now; a link stays."""
    for path in (folder, *folder.parents):
        if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
            return
        path.rmdir()
        if path == top:
            return
