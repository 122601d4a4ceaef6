"""The fenced blocks of Markdown pages, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
UNCOMMENTED = re.compile(r"""(?:[^'"#]|'[^']*'|"[^"]*"|(?<=\S)#)*""")
FOREIGN = ("bibtex", "cpp", "csv", "json", "text", "toml")  # languages of blocks that are not executed
LANGUAGES = ("sh", "python", *FOREIGN)


@dataclass(frozen=True)
class Block:
    """One fenced block: page relative to the repository, number of its first line, language, text."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One command line of a page, without comments, with its continuation lines joined."""

    page: str
    line: int
    text: str


def pages(top: Path) -> list[Path]:
    """The pages of a repository that readers get, in order."""
    root = [top / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*root, *sorted((top / "docs").rglob("*.md")), top / "benchmarks" / "README.md"]


def blocks(top: Path) -> list[Block]:
    """Every fenced block of the pages below `top`."""
    found = []
    for path in pages(top):
        text = path.read_text(encoding="utf-8")
        for fence in FENCE.finditer(text):
            line = text.count("\n", 0, fence.start()) + 2
            found.append(Block(path.relative_to(top).as_posix(), line, fence[2], fence[3]))
    return found


def commands(block: Block) -> list[Command]:
    """The command lines of a block."""
    found, start, parts = [], block.line, []
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        start = start if parts else number
        goes_on = line.rstrip().endswith("\\")
        parts.append(_without_comment(line.rstrip().removesuffix("\\")))
        if not goes_on:
            text = " ".join(" ".join(parts).split())
            found += [Command(block.page, start, text)] if text else []
            parts = []
    return found


def _without_comment(line: str) -> str:
    """The line up to a comment, as a shell sees it."""
    return UNCOMMENTED.match(line)[0]
