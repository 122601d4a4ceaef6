"""The class of every command and snippet of the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from doc_commands.blocks import blocks, commands
from doc_commands.table import Class, Table


def classed(top: Path, table: Table) -> Iterator[tuple[str, Class]]:
    """Page and class of every command and every Python snippet; a snippet with a prelude or a change is substituted."""
    for block in blocks(top):
        if block.language == "python":
            changed = block.page in table.preludes or table.task(block.page, block.text).kind == "substituted"
            yield block.page, "substituted" if changed else "executed"
        elif block.language == "sh":
            for command in commands(block):
                yield block.page, table.task(command.page, command.text).kind
