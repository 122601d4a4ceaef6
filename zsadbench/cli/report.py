"""`zsadbench report`: records and published numbers → tables in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli import options as flags
from zsadbench.cli.common import say, say_json, split, start_logging
from zsadbench.errors import UsageError

Results = Annotated[Path, typer.Option("--results", help="Folder with records (default ./results).")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the report (default ./report).")]
Formats = Annotated[
    list[str] | None, typer.Option("--format", help="Formats; repeatable, or a comma list (default: all).")
]
Templates = Annotated[Path | None, typer.Option("--templates", help="Folder whose templates replace the report's own.")]


def report(
    results: Results = Path("results"),
    out: Out = Path("report"),
    format: Formats = None,
    templates: Templates = None,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Write tables of all records and published numbers; print the paths of the files."""
    import logging

    from zsadbench import registry
    from zsadbench.compare import Report, board_of

    start_logging(quiet=quiet)
    wanted = split(format) or tuple(registry.names("reports"))
    reports = {name: registry.load("reports", name) for name in wanted}
    for name, found in reports.items():
        if not isinstance(found, Report):
            raise UsageError(f"plugin '{name}' is no Report but {type(found).__name__}")
    if templates is not None and not templates.is_dir():
        raise UsageError(f"--templates: '{templates}' is no folder")
    board = board_of(results)
    if not board.records:
        logging.getLogger(__name__).warning("no records below '%s': the report has published numbers only", results)
    out.mkdir(parents=True, exist_ok=True)
    for name, found in reports.items():
        for path in found.write(board, out, templates):
            say_json({"event": "file", "format": name, "path": str(path)}) if json else say(str(path))
