"""`zsadbench report`: records and published numbers → tables in files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Fields, Json, Quiet, RequestFlags, Verbose, examples, with_flags
from zsadbench.cli.shared.output import say, say_json
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, ZsadError, unknown
from zsadbench.flags.fields import DATA, OUTPUT
from zsadbench.flags.forms import split
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.compare import Board, Report

log = logging.getLogger(__name__)

EXAMPLES = examples(
    "zsadbench report",
    "zsadbench report --results results --out report --format html,latex",
)


@with_flags
def report(
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots")],
    results: Annotated[Path, typer.Option(help="Folder with records.", metavar="PATH", rich_help_panel=DATA)] = Path(
        "results"
    ),
    out: Annotated[Path, typer.Option(help="Folder for the report.", metavar="PATH", rich_help_panel=OUTPUT)] = Path(
        "report"
    ),
    format: Annotated[
        list[str] | None,
        typer.Option(
            help="Format; repeatable, or a comma list (default: all that can be made).",
            metavar="NAME",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(help="Folder whose templates replace the report's own.", metavar="PATH", rich_help_panel=OUTPUT),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            help="Method that tests compare the others with (default: the one with the best mean).",
            metavar="NAME",
            rich_help_panel=OUTPUT,
        ),
    ] = "",
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write tables of all records and published numbers; print the paths of the files."""
    from zsadbench.compare import board_of

    start_logging(quiet=quiet, verbose=verbose)
    reports = _chosen(split(format))
    _check_folders(results, out, templates)
    board = board_of(results, fields.get("data_roots"))
    if not board.records:
        log.warning("no records below '%s': the report has published numbers only", results)
    board = _with_reference(board, reference)
    out.mkdir(parents=True, exist_ok=True)
    failed: list[ZsadError] = []
    for name, writer in reports.items():
        try:
            paths = writer.write(board, out, templates)
            for path in paths:
                say_json({"event": "file", "format": name, "path": str(path)}) if json else say(str(path))
            if format and not paths:
                log.warning("--format %s: nothing is written, as no record has what it shows", name)
        except ZsadError as failure:  # the other formats are still written
            failed.append(failure)
    for other in failed[1:]:
        log.error("%s", other)
    if failed:
        raise failed[0]


def _with_reference(board: Board, reference: str) -> Board:
    """Return the board with the method that tests compare the others with; raise `UsageError` where it has none."""
    measured = {*board.measured["entry"], *board.measured["method"]}
    if reference and reference not in measured:
        raise unknown("measured method", reference, measured)
    return replace(board, reference=reference)


def _check_folders(results: Path, out: Path, templates: Path | None) -> None:
    """Raise `UsageError` where a folder is missing, a file has its name, or it cannot be written."""
    if templates is not None and not templates.is_dir():
        raise UsageError(f"--templates: '{templates}' is no folder")
    check_out(out)
    if results.is_file():
        raise UsageError(f"--results: '{results}' is a file; name the folder that 'run --out' wrote into")


def _chosen(names: Sequence[str]) -> dict[str, Report]:
    """Return the named reports; without names every one that can be loaded, with a warning for the others.

    They are sorted by name: the page of `html` links to the pages of `failures` only if these were written before it.
    """
    from zsadbench import registry

    reports = {}
    for name in sorted(set(names)) or registry.names("reports"):
        try:
            reports[name] = _loaded(name)
        except UsageError as failure:
            if names:
                raise
            log.warning("format '%s' is left out: %s", name, failure)
    return reports


def _loaded(name: str) -> Report:
    from zsadbench import registry
    from zsadbench.compare import Report

    report = registry.load("reports", name)
    if not isinstance(report, Report):
        raise UsageError(f"plugin '{name}' is no Report but {type(report).__name__}")
    return report
