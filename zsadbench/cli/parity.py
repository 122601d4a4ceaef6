"""`zsadbench parity DIR…`: recompute fixtures and print the largest deviation of every stage."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, split_options, start_logging, table

if TYPE_CHECKING:
    from zsadbench.parity.fixture import FixtureReport


def parity(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Fixtures, or folders of fixtures.")],
    option: flags.MethodOptions = None,
    json: flags.Json = False,
    verbose: flags.Verbose = False,
) -> None:
    """Compare every stage of a fixture with its expected value; exit 1 when one exceeds its tolerance."""
    start_logging(verbose=verbose)
    from zsadbench.parity.check import check
    from zsadbench.parity.fixture import find_fixtures

    fixtures = find_fixtures(folders)
    failed = False
    for fixture in fixtures:
        found = check(fixture, split_options(option), alone=len(fixtures) == 1)
        failed |= found.passed is False
        if json:
            say_json(_as_json(found))
        else:
            _print(found)
    if failed:
        raise typer.Exit(1)


def _as_json(found: FixtureReport) -> dict[str, object]:
    stages = {
        stage.name: {
            "deviation": stage.deviation,
            "allowed": stage.allowed if isfinite(stage.allowed) else None,
            "passed": stage.passed,
            "note": stage.note,
        }
        for stage in found.stages
    }
    return {
        "fixture": str(found.folder),
        "kind": found.kind,
        "compared": len(found.stages),
        "passed": found.passed,
        "skipped": found.skipped or None,
        "stages": stages,
    }


def _print(found: FixtureReport) -> None:
    if found.skipped:
        say(f"{found.folder}: skipped: {found.skipped}")
        return
    rows = [
        (
            stage.name,
            "-" if stage.deviation is None else f"{stage.deviation:.2e}",
            f"{stage.allowed:.1e}",
            "ok" if stage.passed else f"FAILED {stage.note}".strip(),
        )
        for stage in found.stages
    ]
    table(str(found.folder), ["stage", "deviation", "allowed", ""], rows)
    good = sum(stage.passed for stage in found.stages)
    say(f"{len(found.stages)} tensors compared, {good} within tolerance, {len(found.stages) - good} outside")
