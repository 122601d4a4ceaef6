"""`zsadbench reproduce`: a paper's table, ours beside it; what its text says of its tables, recomputed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say_rows, start_log_file, start_logging
from zsadbench.cli.shared.requests import request_of
from zsadbench.errors import UsageError, unknown

if TYPE_CHECKING:
    from zsadbench.compare.paper_rows import PaperTable
    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.run import Results

FAILED_CHECK, FAILED_CELLS, DRIFT = 1, 5, 6
CLAIMS = ":claims"


def reproduce(
    what: Annotated[
        str | None, typer.Argument(metavar="PAPER:TABLE", help="Such as fbclip:table1, or fbclip:claims.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what can be asked for, as without an argument.")] = False,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="Some of the table's data sets, or one to put in place of all."),
    ] = None,
    aux: flags.Aux = None,
    seed: flags.Seeds = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Per class the first N normal and N anomalous test images.", envvar="ZSADBENCH_LIMIT"),
    ] = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    epochs: flags.Epochs = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    batch_size: Annotated[
        str, typer.Option(help="Images at a time: auto, or a number.", envvar="ZSADBENCH_BATCH_SIZE")
    ] = "auto",
    workers: flags.Workers = None,
    image_cache: flags.ImageCache = None,
    token_cache: flags.TokenCache = None,
    data_root: flags.DataRoots = None,
    out: Annotated[Path, typer.Option(help="Where records go.", envvar="ZSADBENCH_OUT")] = Path("results"),
    allow_partial: flags.AllowPartial = False,
    offline: flags.Offline = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing, and stop.")] = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Run what is missing of a paper's table and print it, ours beside each number, with the verdict of the gap.

    Data sets, backbone, weights, epochs, image size or a limit in place of the paper's are marked and never judged.
    Exit codes: 0 done, 1 a claim does not hold, 2 usage, 3 data, 4 weights, 5 some cells failed, 6 a number drifts.
    """
    asked = dict(locals())
    start_logging(quiet=quiet, verbose=verbose)
    if what is None or list_:
        _list(json=json)
    elif what.endswith(CLAIMS):
        _claims(what.removesuffix(CLAIMS), json=json)
    else:
        table = _found(what)
        request = {**asked, "offline": offline or dry_run}
        (_dry_run if dry_run else _reproduce)(table, request)


def _found(what: str) -> PaperTable:
    from zsadbench.compare.claims import papers_with_claims
    from zsadbench.compare.paper_rows import find_table, table_names

    names = table_names()
    if ":" not in what:
        raise UsageError(f"'{what}' names no table; give one such as '{names[0]}', or nothing for a list")
    if what not in names:
        raise unknown("table", what, [*names, *(f"{paper}{CLAIMS}" for paper in papers_with_claims())])
    return find_table(what)


def _list(*, json: bool) -> None:
    from zsadbench.compare.claims import claims_of, papers_with_claims
    from zsadbench.compare.paper_rows import find_table, table_names, why_left_out
    from zsadbench.compare.published import papers

    rows = []
    for name in table_names():
        table = find_table(name)
        built = sum(not why_left_out(row) for row in table.rows)
        rows.append((name, str(len(table.rows)), str(built), str(len(table.targets)), table.title))
    for paper in papers_with_claims():
        count = str(len(claims_of(paper)))
        title = f"{papers()[paper]['label']}: what its text says of its tables, recomputed"
        rows.append((f"{paper}{CLAIMS}", count, count, "-", title))
    say_rows(["name", "rows", "can run", "data sets", "title"], rows, json=json)


def _claims(paper: str, *, json: bool) -> None:
    from zsadbench.cli.tables.reproduced import print_claims
    from zsadbench.compare import board_of
    from zsadbench.compare.claims import check_claims, papers_with_claims

    if paper not in papers_with_claims():
        raise unknown("paper with claims", paper, papers_with_claims())
    outcomes = check_claims(paper, board_of(None))
    print_claims(outcomes, json=json)
    if not all(one.holds for one in outcomes):
        raise typer.Exit(FAILED_CHECK)


def _dry_run(table: PaperTable, asked: dict[str, object]) -> None:
    from zsadbench.cli.tables.reproduced import print_needs
    from zsadbench.reproduce.needs import needs_of

    request = request_of({**asked, "method": [table.rows[0].method]}, targets=_targets(table, asked))
    print_needs(table, needs_of(table, request), json=bool(asked["json"]))


def _targets(table: PaperTable, asked: dict[str, object]) -> tuple[str, ...]:
    from zsadbench.cli.shared.common import targets_of

    given = asked["target"]
    return (targets_of(given) if isinstance(given, list) else ()) or table.targets


def _reproduce(table: PaperTable, asked: dict[str, object]) -> None:
    from zsadbench.cli.tables.reproduced import print_table, tally
    from zsadbench.engine.run import Results
    from zsadbench.reproduce.layout import lay_out
    from zsadbench.reproduce.numbers import DRIFTS
    from zsadbench.reproduce.side_by_side import compare_numbers

    json = bool(asked["json"])
    request = request_of({**asked, "method": [table.rows[0].method]}, targets=_targets(table, asked))
    layout = lay_out(table, request)
    results = _run(layout.plan, json=json, quiet=bool(asked["quiet"])) if layout.plan else Results()
    cells = compare_numbers(layout, results.records)
    print_table(layout, cells, results, json=json)
    if tally(cells)[DRIFTS]:
        raise typer.Exit(DRIFT)
    if results.failures:
        raise typer.Exit(FAILED_CELLS)


def _run(plan: Plan, *, json: bool, quiet: bool) -> Results:
    """Run what is missing; events of the records go to stdout with `json`."""
    from zsadbench.cli.run import warn_of_hours
    from zsadbench.cli.shared.progress import Progress
    from zsadbench.engine.run import run_plan

    start_log_file(plan.request.out)
    warn_of_hours(plan)
    with Progress(json=json, quiet=quiet) as progress:
        return run_plan(plan, progress)
