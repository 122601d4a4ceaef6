"""`zsadbench compare A B`: two methods on the same images, and each next to its published numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.shared.completion import complete_methods
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
from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError
from zsadbench.flags.fields import DATA

if TYPE_CHECKING:
    from zsadbench.compare.board import Board
    from zsadbench.compare.significance.pair import Line, Overall, Pairing
    from zsadbench.compare.summary import Score

FLAGS = RequestFlags(
    RunRequest,
    "targets",
    metrics="Metric in addition to those of the tables; repeatable, or a comma list.",
)
EXAMPLES = examples(
    "zsadbench compare fbclip clip",
    "zsadbench compare fbclip afclip -t visa,mvtec --metric pixel_aupro@0.05",
)


@with_flags
def compare(
    left: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Method, or a run as the report's tables name it.", autocompletion=complete_methods
        ),
    ],
    right: Annotated[
        str, typer.Argument(metavar="B", help="The method that A is compared with.", autocompletion=complete_methods)
    ],
    fields: Annotated[Fields, FLAGS],
    results: Annotated[Path, typer.Option(help="Folder with records.", metavar="PATH", rich_help_panel=DATA)] = Path(
        "results"
    ),
    plugin: Plugin = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print gaps by class with intervals, significance over data sets, rank intervals, gaps to published numbers."""
    from zsadbench.compare import board_of
    from zsadbench.compare.significance.pair import pairings

    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    board = board_of(results)
    if not board.records:
        raise UsageError(f"no records below '{results}'; make some with zsadbench run, or name their folder: --results")
    for pairing in pairings(board, left, right, fields["targets"], fields.get("metrics", ())):
        for event in _events(pairing) if json else ():
            say_json(event)
        if not json:
            _print(board, pairing)


def _events(pairing: Pairing) -> Iterator[dict[str, Any]]:
    """Yield one object per class, per metric over data sets, and per published number.

    Values are fractions, gaps are percentage points.
    """
    common = {"group": pairing.group, "left": pairing.left, "right": pairing.right}
    for line in pairing.lines:
        where = {"target": line.target, "class": line.class_name, "metric": line.metric}
        values = {"left_value": line.left.value, "right_value": line.right.value, "points": line.points}
        comparable = line.left.comparable and line.right.comparable
        interval = [100 * end for end in line.interval] if line.interval else None
        yield (
            {"event": "gap"}
            | common
            | where
            | values
            | {"interval": interval, "comparable": comparable, "because": line.because}
        )
    for overall in pairing.overall:
        difference = overall.difference
        about = {"metric": overall.metric, "sets": difference.sets, "points": 100 * difference.mean, "p": difference.p}
        ends = {"interval": [100 * difference.low, 100 * difference.high]}
        yield {"event": "overall"} | common | about | ends | {"ranks": dict(overall.ranks), "rivals": overall.rivals}
    for gap in pairing.published:
        where = {"method": gap.entry, "target": gap.target, "class": gap.class_name, "metric": gap.metric}
        numbers = {"value": gap.measured.value, "published": gap.published, "points": gap.points}
        source = {"paper": gap.paper, "table": gap.table, "verdict": gap.verdict, "because": gap.because}
        yield {"event": "published"} | where | numbers | source


def _print(board: Board, pairing: Pairing) -> None:
    """Print a table per data set and metric, then over data sets, then next to published numbers."""
    from zsadbench.compare.frame import HEADINGS
    from zsadbench.compare.tables.gaps import tables_of_gaps

    say(f"{pairing.left} against {pairing.right}: {pairing.group}")
    for remark in pairing.remarks:
        say(f"not comparable with published numbers, and left out over data sets: {remark}")
    for target, metric in dict.fromkeys((line.target, line.metric) for line in pairing.lines):
        lines = [line for line in pairing.lines if (line.target, line.metric) == (target, metric)]
        title = f"{board.dataset(target).title}, {HEADINGS.get(metric, metric)}"
        table(title, ["class", pairing.left, pairing.right, "gap", "95 % interval"], map(_line, lines))
    _print_overall(pairing)
    for part in tables_of_gaps(board, pairing.published):
        rows = [(row.block.removeprefix("printed in "), row.label, *map(str, row.cells)) for row in part.rows]
        table(f"next to published numbers: {part.caption}", ["printed in", part.head, *part.columns], rows)
        say(*part.notes, "")


def _line(line: Line) -> tuple[str, ...]:
    """Return the row of one class."""
    values = (_score(line.left), _score(line.right))
    if line.points is None:
        return (line.class_name, *values, "-", line.because)
    return (line.class_name, *values, f"{line.points:+.1f}", _ends(line.interval))


def _score(score: Score) -> str:
    """Format a value in percent, with its spread over seeds and a mark where it is not comparable."""
    if score.value is None:
        return "-"
    spread = f" ± {100 * score.spread:.1f}" if score.spread is not None else ""
    return f"{100 * score.value:.1f}{spread}{'' if score.comparable else '†'}"


def _ends(interval: tuple[float, float] | None) -> str:
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}" if interval else "-"


def _print_overall(pairing: Pairing) -> None:
    """Print one row per metric over all data sets that both methods have comparable records of."""
    from zsadbench.compare.significance.differences import FEWEST, p_text, smallest_p

    if not pairing.overall:
        say("over data sets: nothing, as no data set has comparable records of both", "")
        return
    header = ["metric", "data sets", "gap", "95 % interval", "p (Wilcoxon)", f"rank of {pairing.left}", pairing.right]
    table("over data sets", header, map(_over_sets, pairing.overall))
    if any(overall.difference.p is None for overall in pairing.overall):
        say(f"p: fewer than {FEWEST} data sets, no test over data sets")
    sets = sorted({overall.difference.sets for overall in pairing.overall})
    smallest = [f"{p_text(smallest_p(number)).removeprefix('= ')} for {number}" for number in sets]
    say(f"smallest p that the number of data sets allows: {', '.join(smallest)}", "")


def _over_sets(overall: Overall) -> tuple[str, ...]:
    """Return the row of one metric over data sets."""
    from zsadbench.compare.frame import HEADINGS
    from zsadbench.compare.significance.differences import p_text

    difference = overall.difference
    p = "-" if difference.p is None else p_text(difference.p).removeprefix("= ")
    interval = _ends((difference.low, difference.high))
    ranks = [f"{first}-{last} of {overall.rivals}" for first, last in overall.ranks.values()] or ["-", "-"]
    name = HEADINGS.get(overall.metric, overall.metric)
    return (name, str(difference.sets), f"{100 * difference.mean:+.1f}", interval, p, *ranks)
