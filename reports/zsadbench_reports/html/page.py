"""Rendering of `index.html`: numbers as JSON, scripts, styles and figures in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment

from zsadbench.compare import Board, Report, blocks, contents_of
from zsadbench_reports.files import write
from zsadbench_reports.html.costs import measured_tradeoffs, published_tradeoffs
from zsadbench_reports.html.figures import rank_figures, seed_figures, tradeoff_figure
from zsadbench_reports.html.forest import forest_figures
from zsadbench_reports.html.payload import as_script, payload
from zsadbench_reports.html.single import write_tables
from zsadbench_reports.html.templates import environment_of, plain
from zsadbench_reports.sandbox import faults_named

STYLES = ("html/page.css",)
SCRIPTS = (
    "html/elements.js",
    "html/theme.js",
    "html/state.js",
    "html/board.js",
    "html/classes.js",
    "html/curves.js",
    "html/breakdowns.js",
    "html/page.js",
)


def write_html(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `index.html` below `out`; it links to `failures.html` where that file is already there.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    environment = environment_of(templates)
    with faults_named(templates):
        text = environment.get_template("html/index.html.jinja").render(_context(board, out, environment))
    return [write(out, "index.html", text)]


def _context(board: Board, out: Path, environment: Environment) -> dict[str, Any]:
    numbers = payload(board)
    return {
        "payload": as_script(numbers.content),
        "numbers": numbers,
        "styles": plain(environment, STYLES),
        "scripts": plain(environment, SCRIPTS),
        "summary": summary(board),
        "contents": contents_of(board),
        "blocks": blocks,
        "measured_costs": [
            tradeoff_figure(tradeoff, f"cost{number}") for number, tradeoff in enumerate(measured_tradeoffs(board))
        ],
        "published_costs": [
            tradeoff_figure(tradeoff, f"printed{number}") for number, tradeoff in enumerate(published_tradeoffs(board))
        ],
        "seeds": seed_figures(board),
        "ranks": rank_figures(board),
        "forests": forest_figures(board),
        "failures": (out / "failures.html").is_file(),
    }


def summary(board: Board) -> str:
    """One line: the number of methods and data sets, measured and published, and the date of the last run."""
    parts = [_counted(board.measured, "measured"), _counted(board.published, "published")]
    ended = max((str(record.provenance.get("finished", "")) for _, record in board.records), default="")
    counts = [(len(names), kind if len(names) > 1 else kind[:-1]) for kind, names in board.left_out.items()]
    left_out = ", ".join(f"{count} {kind}" for count, kind in counts)
    chosen = f" Measured and left out by the selection: {left_out}." if left_out else ""
    return "; ".join(part for part in parts if part) + (f". Last run: {ended[:10]}." if ended else ".") + chosen


def _counted(rows: pd.DataFrame, kind: str) -> str:
    rows = rows[(rows["target"] != "") & (rows["variant"] == "")] if kind == "published" else rows
    methods, sets = rows["method"].nunique(), rows["target"].nunique()
    return f"{methods} methods {kind} on {sets} data set{'s' if sets > 1 else ''}" if methods else ""


REPORT = Report(write_html, write_tables)
