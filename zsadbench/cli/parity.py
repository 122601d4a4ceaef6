"""`zsadbench parity DIR…`: recompute fixtures and print the largest deviation of every stage."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import (
    Fields,
    Json,
    Plugin,
    RequestFlags,
    Verbose,
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.engine.plan.request import RunRequest

if TYPE_CHECKING:
    from zsadbench.parity.fixture import FixtureReport

EXAMPLES = examples("zsadbench parity fixtures/fbclip", "zsadbench parity fixtures/ --json")


@with_flags
def parity(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Fixtures, or folders of fixtures.")],
    fields: Annotated[Fields, RequestFlags(RunRequest, "options")],
    plugin: Plugin = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare every stage of a fixture with its expected value; exit 1 when one exceeds its tolerance."""
    start_logging(verbose=verbose)
    add_plugins(plugin)
    from zsadbench.parity.check import check
    from zsadbench.parity.fixture import find_fixtures

    fixtures = find_fixtures(folders)
    failed = False
    for fixture in fixtures:
        comparison = check(fixture, fields.get("options", ()), alone=len(fixtures) == 1)
        failed |= comparison.passed is False
        if json:
            say_json(_as_json(comparison))
        else:
            _print(comparison)
    if failed:
        raise typer.Exit(1)


def _as_json(comparison: FixtureReport) -> dict[str, object]:
    """Return the JSON object of a fixture."""
    stages = {
        stage.name: {
            "deviation": stage.deviation,
            "allowed": stage.allowed if isfinite(stage.allowed) else None,
            "passed": stage.passed,
            "note": stage.note,
        }
        for stage in comparison.stages
    }
    return {
        "fixture": str(comparison.folder),
        "kind": comparison.kind,
        "compared": len(comparison.stages),
        "passed": comparison.passed,
        "skipped": comparison.skipped or None,
        "stages": stages,
    }


def _print(comparison: FixtureReport) -> None:
    """Print one row per stage of a fixture, and how many are within tolerance."""
    if comparison.skipped:
        say(f"{comparison.folder}: skipped: {comparison.skipped}")
        return
    rows = [
        (
            stage.name,
            "-" if stage.deviation is None else f"{stage.deviation:.2e}",
            f"{stage.allowed:.1e}",
            "ok" if stage.passed else f"FAILED {stage.note}".strip(),
        )
        for stage in comparison.stages
    ]
    table(str(comparison.folder), ["stage", "deviation", "allowed", ""], rows)
    good = sum(stage.passed for stage in comparison.stages)
    say(f"{len(comparison.stages)} tensors compared, {good} within tolerance, {len(comparison.stages) - good} outside")
