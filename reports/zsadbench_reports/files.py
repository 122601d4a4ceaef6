"""Writing what a report makes: file names that cannot climb, files whole or not at all."""

from __future__ import annotations

from pathlib import Path

from zsadbench.files import write_atomically
from zsadbench.records import safe_name


def write(out: Path, name: str, content: str | bytes) -> Path:
    """Write `content` to `out/name`, made safe, whole or not at all; text as UTF-8. Returns the path."""
    path = out / safe_name(name)
    write_atomically(path, content.encode() if isinstance(content, str) else content)
    return path
