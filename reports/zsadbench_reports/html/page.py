"""Rendering of `index.html`: numbers as JSON, scripts, styles and figures in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment

from zsadbench.compare import Board, Report, blocks, contents_of
from zsadbench.compare.frame import MEASURED
from zsadbench_reports.files import write
from zsadbench_reports.html.costs import measured_tradeoffs, published_tradeoffs
from zsadbench_reports.html.figures import rank_figures, seed_figures, tradeoff_figure
from zsadbench_reports.html.forest import forest_figures
from zsadbench_reports.html.glossary import marks
from zsadbench_reports.html.papers import PUBLISHED
from zsadbench_reports.html.payload import Payload, as_script, payload
from zsadbench_reports.html.single import write_tables
from zsadbench_reports.html.templates import environment_of, plain
from zsadbench_reports.sandbox import faults_named

STYLES = ("html/page.css",)
SCRIPTS = (
    "html/elements.js",
    "html/theme.js",
    "html/state.js",
    "html/terms.js",
    "html/series.js",
    "html/ranking.js",
    "html/overview.js",
    "html/board.js",
    "html/exports.js",
    "html/classes.js",
    "html/scores.js",
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
    sections = _sections(board, numbers)
    return sections | {
        "payload": as_script(numbers.content),
        "numbers": numbers,
        "styles": plain(environment, STYLES),
        "scripts": plain(environment, SCRIPTS),
        "summary": summary(board),
        "blocks": blocks,
        "marks": marks(),
        "term_of": numbers.terms.term_of,
        "missing": _missing(numbers, sections),
        "failures": (out / "failures.html").is_file(),
        "grid": (out / "grid.html").is_file(),
    }


def _sections(board: Board, numbers: Payload) -> dict[str, Any]:
    """What sections of the page show that need no script; a section without content is left out."""
    groups, series = numbers.content["groups"], numbers.series
    return {
        "contents": contents_of(board),
        "ranked": any(group.get("rankings") for group in groups),
        "not_comparable": _why_not_comparable(board),
        "has_classes": any(group["classes"] for group in groups),
        "measured_costs": [
            tradeoff_figure(tradeoff, f"cost{number}", MEASURED, series)
            for number, tradeoff in enumerate(measured_tradeoffs(board))
        ],
        "published_costs": [
            tradeoff_figure(tradeoff, f"printed{number}", PUBLISHED, series)
            for number, tradeoff in enumerate(published_tradeoffs(board))
        ],
        "seeds": seed_figures(board, series),
        "ranks": rank_figures(board),
        "forests": forest_figures(board),
    }


def _why_not_comparable(board: Board) -> str:
    """Say why measured numbers are not comparable; empty where nothing was measured."""
    reasons = dict.fromkeys(reason for note in board.measured["note"] if note for reason in note.split("; "))
    return f"The reason: {'; '.join(reasons)}." if reasons else ""


def _missing(numbers: Payload, sections: Mapping[str, Any]) -> list[str]:
    """One line per section that is left out: why, and how to get it."""
    too_many = "there are too many for one page: report fewer records at a time."
    lines = [f"{name.capitalize()}: {too_many}" for name in numbers.too_many]
    no_scores = "No record here has the scores of its images, from which bad parts that pass are counted."
    no_cost = "No record here has a cost of its own: run each method alone, or zsadbench profile --into RESULTS."
    no_ranks = "No critical-difference diagram: it takes three comparable methods on six common data sets."
    absent = {
        "curves": (numbers.curves, "No record here has curves."),
        "breakdowns": (numbers.parts, "No record here has a breakdown."),
        "scores": (numbers.bins, no_scores),
        "cost": (sections["measured_costs"] or None, no_cost),
        "seeds": (sections["seeds"] or None, "No method here was run with several seeds: --seed 0,1,2."),
        "ranks": (sections["ranks"] or None, no_ranks),
    }
    return lines + [
        line for name, (content, line) in absent.items() if content is None and name not in numbers.too_many
    ]


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
