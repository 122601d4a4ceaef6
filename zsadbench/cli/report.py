"""`zsadbench report`: records and published numbers → tables in files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Fields, Json, Quiet, RequestFlags, Verbose, examples, with_flags
from zsadbench.cli.shared.output import say, say_json
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, ZsadError
from zsadbench.flags.fields import DATA, OUTPUT
from zsadbench.flags.forms import split

if TYPE_CHECKING:
    from zsadbench.compare import Report

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
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write tables of all records and published numbers; print the paths of the files."""
    from zsadbench.compare import board_of

    start_logging(quiet=quiet, verbose=verbose)
    reports = _chosen(split(format))
    _check_places(results, out, templates)
    board = board_of(results, fields.get("data_roots"))
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
