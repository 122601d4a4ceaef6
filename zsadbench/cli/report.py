"""`zsadbench report`: records and published numbers → tables in files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import (
    Fields,
    Json,
    Plugin,
    Quiet,
    RequestFlags,
    Verbose,
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say, say_json
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, ZsadError, unknown
from zsadbench.files import write_atomically
from zsadbench.flags.fields import DATA, OUTPUT
from zsadbench.flags.forms import split
from zsadbench.flags.out import check_out
from zsadbench.selection import CHOICE, Selection, as_toml, read_selection

if TYPE_CHECKING:
    from zsadbench.compare import Board, Report

log = logging.getLogger(__name__)

EXAMPLES = examples(
    "zsadbench report --results results --out report --format html,latex",
    "zsadbench report --methods clip,fbclip --paper fbclip:table1 --no-spread",
)
INIT, SELECTION_FILE = "init", "report.toml"
RESULTS = Path("results")  # may be missing: the report then has published numbers only


@with_flags
def report(
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots")],
    chosen: Annotated[Fields, RequestFlags(Selection)],
    action: Annotated[
        str, typer.Argument(metavar="[init]", help="init writes the selection to report.toml, and no table.")
    ] = "",
    results: Annotated[Path, typer.Option(help="Folder with records.", metavar="PATH", rich_help_panel=DATA)] = RESULTS,
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
    picture: Annotated[
        list[str] | None,
        typer.Option(
            help="Image for the qualitative grid, chosen by hand; repeatable.",
            metavar="TARGET:PATH",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(help="Folder whose templates replace the report's own.", metavar="PATH", rich_help_panel=OUTPUT),
    ] = None,
    selection: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with the flags of this group; flags override it.", metavar="FILE", rich_help_panel=CHOICE
        ),
    ] = None,
    plugin: Plugin = None,
    published: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV file with further published numbers; repeatable (docs/own-numbers.md).",
            metavar="FILE",
            rich_help_panel=DATA,
        ),
    ] = None,
    bibtex: Annotated[
        list[Path] | None,
        typer.Option(
            help="BibTeX file with the references of --published; repeatable.", metavar="FILE", rich_help_panel=DATA
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write tables of all records and published numbers; print the paths of the files."""
    from zsadbench.compare import board_of, choose
    from zsadbench.compare.published import published_with

    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    wanted, reports = read_selection(selection, chosen), _chosen(split(format))
    _check_folders(results, out, templates)
    numbers = published_with(published or (), bibtex or ())
    board = replace(board_of(results, fields.get("data_roots"), numbers), pictures=tuple(picture or ()))
    if not board.records:
        log.warning("no records below '%s': the report has published numbers only", results)
    if action:
        _say_files("toml", [_write_selection(board, wanted, out, action)], json=json)
        return
    board = choose(board, wanted)
    for kind, names in board.left_out.items():
        log.warning("%s left out by the selection: %s", kind, ", ".join(names))
    _write_all(reports, board, out, templates, named=bool(format), json=json)


def _write_all(
    reports: Mapping[str, Report], board: Board, out: Path, templates: Path | None, *, named: bool, json: bool
) -> None:
    """Write every format and print its files; `named` says that the user asked for these formats.

    Raises:
        ZsadError: the first failure, after all other formats are written.
    """
    out.mkdir(parents=True, exist_ok=True)
    failed: list[ZsadError] = []
    for name, writer in reports.items():
        try:
            paths = writer.write(board, out, templates)
            _say_files(name, paths, json=json)
            if named and not paths:
                log.warning("--format %s: nothing is written, as no record has what it shows", name)
        except ZsadError as failure:  # the other formats are still written
            failed.append(failure)
    for other in failed[1:]:
        log.error("%s", other)
    if failed:
        raise failed[0]


def _say_files(form: str, paths: Iterable[Path], *, json: bool) -> None:
    for path in paths:
        say_json({"event": "file", "format": form, "path": str(path)}) if json else say(str(path))


def _write_selection(board: Board, selection: Selection, out: Path, action: str) -> Path:
    """Write the selection, with the names of all that was measured, to `report.toml` below `out`; return the path.

    Raises:
        UsageError: the action is not `init`, the file is there already, or a name of the selection was not measured.
    """
    from zsadbench.compare.choice import spelled_out

    if action != INIT:
        raise unknown("action of report", action, [INIT])
    path = out / SELECTION_FILE
    if path.exists():
        raise UsageError(f"'{path}' is there already; remove it, or name another folder: --out")
    text = as_toml(spelled_out(board, selection))
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path


def _check_folders(results: Path, out: Path, templates: Path | None) -> None:
    """Raise `UsageError` where a folder is missing, a file has its name, or it cannot be written."""
    if templates is not None and not templates.is_dir():
        raise UsageError(f"--templates: '{templates}' is no folder")
    check_out(out)
    if results.is_file() or (results != RESULTS and not results.exists()):
        what = "is a file" if results.is_file() else "is not there"
        raise UsageError(f"--results: '{results}' {what}; name the folder that 'run --out' wrote into")


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
