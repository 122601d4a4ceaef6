"""Writing the files of a report, with names that cannot leave its folder."""

from __future__ import annotations

from pathlib import Path

from zsadbench.files import write_atomically
from zsadbench.printing import without_controls
from zsadbench.records import safe_name

SINGLES = "tables"  # the folder of files with one table each


def write(out: Path, name: str, content: str | bytes) -> Path:
    """Write `content` atomically to `out/name`, text as UTF-8; `name` is made safe first. Returns the path.

    Control characters in text, other than tabs and line breaks, are written out.
    """
    path = out / safe_name(name)
    write_atomically(path, without_controls(content).encode() if isinstance(content, str) else content)
    return path
