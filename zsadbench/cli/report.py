"""`zsadbench report`: records and published numbers → tables in files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, split, start_logging
from zsadbench.errors import UsageError, ZsadError

if TYPE_CHECKING:
    from zsadbench.compare import Report

log = logging.getLogger(__name__)

Results = Annotated[Path, typer.Option("--results", help="Folder with records (default ./results).")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the report (default ./report).")]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", help="Formats; repeatable, or a comma list (default: all that can be made)."),
]
Templates = Annotated[Path | None, typer.Option("--templates", help="Folder whose templates replace the report's own.")]


def report(
    results: Results = Path("results"),
    out: Out = Path("report"),
    format: Formats = None,
    templates: Templates = None,
    data_root: flags.DataRoots = None,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Write tables of all records and published numbers; print the paths of the files."""
    from zsadbench.compare import board_of

    start_logging(quiet=quiet, verbose=verbose)
    reports = _chosen(split(format))
    _check_places(results, out, templates)
    board = board_of(results, data_root)
    if not board.records:
        log.warning("no records below '%s': the report has published numbers only", results)
    out.mkdir(parents=True, exist_ok=True)
    failed: list[ZsadError] = []
    for name, found in reports.items():
        try:
            paths = found.write(board, out, templates)
            for path in paths:
                say_json({"event": "file", "format": name, "path": str(path)}) if json else say(str(path))
            if format and not paths:
                log.warning("--format %s: nothing is written, for no record has what it shows", name)
        except ZsadError as failure:  # the other formats are made all the same
            failed.append(failure)
    for other in failed[1:]:
        log.error("%s", other)
    if failed:
        raise failed[0]


def _check_places(results: Path, out: Path, templates: Path | None) -> None:
    """Raise `UsageError` where a file stands in the place of a folder, or a folder is not there."""
    if templates is not None and not templates.is_dir():
        raise UsageError(f"--templates: '{templates}' is no folder")
    if any(place.exists() and not place.is_dir() for place in (out, *out.parents)):
        raise UsageError(f"--out: '{out}' is no folder, for a file has that name or lies on the way")
    if results.is_file():
        raise UsageError(f"--results: '{results}' is a file; name the folder that 'run --out' wrote into")


def _chosen(wanted: Sequence[str]) -> dict[str, Report]:
    """The reports asked for; without a wish every one that can be loaded, the others named in a warning.

    By name, whatever the order asked for: the page links to the failures where these were written before it.
    """
    from zsadbench import registry

    found = {}
    for name in sorted(set(wanted)) or registry.names("reports"):
        try:
            found[name] = _loaded(name)
        except UsageError as failure:
            if wanted:
                raise
            log.warning("format '%s' is left out: %s", name, failure)
    return found


def _loaded(name: str) -> Report:
    from zsadbench import registry
    from zsadbench.compare import Report

    found = registry.load("reports", name)
    if not isinstance(found, Report):
        raise UsageError(f"plugin '{name}' is no Report but {type(found).__name__}")
    return found
