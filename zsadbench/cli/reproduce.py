"""`zsadbench reproduce`: a paper's table with our numbers next to it; what its text says of its tables, recomputed."""

from __future__ import annotations

import logging
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
from zsadbench.cli.shared.output import say, say_rows, tell
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, UsageError, unknown
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.compare.paper_rows import PaperTable

log = logging.getLogger(__name__)

FAILED_CHECK, FAILED_CELLS, DRIFT = 1, 5, 6
CLAIMS = ":claims"
FLAGS = RequestFlags(
    RunRequest,
    "limit seeds aux data_roots allow_partial backbone weights epochs image_size offline device batch_size workers "
    "image_cache token_cache out",
    targets="Some of the table's data sets, or one to put in place of all; repeatable, or a comma list.",
)
EXAMPLES = examples(
    "zsadbench reproduce fbclip:table1 --dry-run",
    "zsadbench reproduce fbclip:table3 -t visa --data-root data --tables paper",
)


@with_flags
def reproduce(
    fields: Annotated[Fields, FLAGS],
    what: Annotated[
        str | None, typer.Argument(metavar="PAPER:TABLE", help="Such as fbclip:table1, or fbclip:claims.")
    ] = None,
    plugin: Plugin = None,
    list_: Annotated[
        bool,
        typer.Option("--list", help="List the tables and claims, as without an argument.", rich_help_panel=WHAT),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, and stop.", rich_help_panel=WHAT)
    ] = False,
    tables: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the table as .tex, .md and .html, with ours beside.",
            metavar="PATH",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run what is missing of a paper's table and print it: the measured number next to each, and whether they agree.

    Numbers are marked and never judged where the data set, the backbone, the weights, the epochs, the image size or
    the limit is not the paper's.

    Exit codes: 0 done, 1 a claim does not hold, 2 usage, 3 data, 4 weights, 5 some cells failed, 6 a number drifts.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    if what is None or list_:
        _list(json=json)
        return
    if what.endswith(CLAIMS):
        _check_claims(what.removesuffix(CLAIMS), json=json)
        return
    table = _find(what)
    changes = {"methods": (table.rows[0].method,), "targets": fields["targets"] or table.targets}
    request = RunRequest(**{**fields, **changes, "offline": fields["offline"] or dry_run})
    if dry_run:
        from zsadbench.cli.tables.reproduced import print_needs
        from zsadbench.reproduce.needs import needs_of

        print_needs(table, needs_of(table, request), json=json)
    else:
        _reproduce(table, request, tables, json=json, quiet=quiet)


def _find(what: str) -> PaperTable:
    """Return the table of this name.

    Raises:
        UsageError: there is none.
    """
    from zsadbench.compare.claims import papers_with_claims
    from zsadbench.compare.paper_rows import find_table, table_names

    names = table_names()
    if ":" not in what:
        raise UsageError(f"'{what}' names no table; give one such as '{names[0]}', or nothing for a list")
    if what not in names:
        raise unknown("table", what, [*names, *(f"{paper}{CLAIMS}" for paper in papers_with_claims())])
    return find_table(what)


def _list(*, json: bool) -> None:
    """Print one row per table and per paper with claims."""
    from zsadbench.compare.claims import claims_of, papers_with_claims
    from zsadbench.compare.paper_rows import find_table, table_names, why_left_out
    from zsadbench.compare.printed_papers import papers

    rows = []
    for name in table_names():
        try:
            table = find_table(name)
        except DataError as failure:
            if not papers()[name.partition(":")[0]].origin:
                raise
            log.warning("%s is left out: %s", name, failure)
            continue
        built = sum(not why_left_out(row) for row in table.rows)
        rows.append((name, str(len(table.rows)), str(built), str(len(table.targets)), table.title))
    for paper in papers_with_claims():
        count = str(len(claims_of(paper)))
        title = f"{papers()[paper].label}: what its text says of its tables, recomputed"
        rows.append((f"{paper}{CLAIMS}", count, count, "-", title))
    say_rows(["name", "rows", "can run", "data sets", "title"], rows, json=json)


def _check_claims(paper: str, *, json: bool) -> None:
    """Recompute what a paper's text says of its tables; leave with 1 where a claim does not hold."""
    from zsadbench.cli.tables.reproduced import print_claims
    from zsadbench.compare import board_of
    from zsadbench.compare.claims import check_claims, papers_with_claims

    if paper not in papers_with_claims():
        raise unknown("paper with claims", paper, papers_with_claims())
    outcomes = check_claims(paper, board_of(None))
    print_claims(outcomes, json=json)
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(FAILED_CHECK)


def _reproduce(table: PaperTable, request: RunRequest, tables: Path | None, *, json: bool, quiet: bool) -> None:
    """Run what is missing, print and write the table; leave with 6 where a number drifts, with 5 where cells failed."""
    from zsadbench.cli.shared.progress import run_with_progress
    from zsadbench.cli.tables.reproduced import print_table, write_files
    from zsadbench.engine.results import Results
    from zsadbench.reproduce.layout import lay_out
    from zsadbench.reproduce.numbers import DRIFTS
    from zsadbench.reproduce.side_by_side import compare_numbers
    from zsadbench.reproduce.tables import tally

    if tables is not None:
        check_out(tables)
    layout = lay_out(table, request)
    results = run_with_progress(layout.plan, json=json, quiet=quiet) if layout.plan else Results()
    cells = compare_numbers(layout, results.records)
    print_table(layout, cells, results, json=json)
    for path in write_files(layout, cells, results, tables) if tables is not None else ():
        (tell if json else say)(f"written: {path}")
    if tally(cells)[DRIFTS]:
        raise typer.Exit(DRIFT)
    if results.failures:
        raise typer.Exit(FAILED_CELLS)
