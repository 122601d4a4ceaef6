"""Writing of the grid: `grid.html`, the folder `grid/`, and `grid_TARGET.tex` and `.pdf` of every data set."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zsadbench.compare import Board, Report
from zsadbench.compare.failures.grid import BY_HAND, RULES
from zsadbench.compare.failures.sections import Section, sections_of
from zsadbench.compare.labels import entry_label
from zsadbench.records import safe_name
from zsadbench_reports.files import write
from zsadbench_reports.grid.paper import HEADINGS, SCALE, grid_pdf, grid_tex
from zsadbench_reports.grid.pictures import GridRow, write_rows
from zsadbench_reports.html.templates import environment_of, plain
from zsadbench_reports.sandbox import faults_named

log = logging.getLogger(__name__)

STYLES = ("html/page.css", "grid/grid.css")
SCRIPTS = ("html/elements.js", "html/theme.js", "grid/grid.js")


def write_grid(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `grid.html`, its pictures, and one `.tex` and `.pdf` per data set below `out`; nothing without saved maps.

    Rows are those of `Board.pictures` where a data set has any, else the typical images; the page also has the rows of
    the other rules.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    written: list[Path] = []
    shown: list[dict[str, Any]] = []
    for section in sections_of(board):
        slug = _slug(section, {one["slug"] for one in shown})
        rows = write_rows(section, slug, out)
        if rows:
            methods = [entry_label(run.entry, run.record.cell["method"]) for run in section.runs]
            chosen = [rows[path] for path in section.grid[BY_HAND] or section.grid["typical"] if path in rows]
            if chosen:
                written.append(write(out, f"grid_{slug}.tex", grid_tex(section.title, slug, methods, chosen)))
                written.append(write(out, f"grid_{slug}.pdf", grid_pdf(out, methods, chosen)))
            shown.append(_content(section, slug, methods, rows))
    if not shown:
        log.info("no qualitative grid: no run kept its maps; run with --save-maps")
        return []
    environment = environment_of(templates)
    with faults_named(templates):
        text = environment.get_template("grid/grid.html.jinja").render(
            sections=shown,
            rules=RULES,
            scale=SCALE,
            styles=plain(environment, STYLES),
            scripts=plain(environment, SCRIPTS),
        )
    return [write(out, "grid.html", text), *written]


def _slug(section: Section, taken: set[str]) -> str:
    key = section.key
    short = safe_name(key.target)
    return short if short not in taken else safe_name(f"{short}-{key.protocol}-{key.digest}-{key.backbone}")


def _content(section: Section, slug: str, methods: Sequence[str], rows: Mapping[str, GridRow]) -> dict[str, Any]:
    """A section as its template shows it: every row with the rules that chose it."""
    ordered = dict.fromkeys(path for paths in section.grid.values() for path in paths if path in rows)
    rules_of = {path: [rule for rule, paths in section.grid.items() if path in paths] for path in ordered}
    return {
        "slug": slug,
        "title": section.title,
        "target": section.key.target,
        "about": f"{section.key.protocol}, {section.key.backbone}",
        "headings": [*HEADINGS, *methods],
        "hand": bool(section.grid[BY_HAND]),
        "notes": list(section.notes),
        "rows": [rows[path]._asdict() | {"rules": rules_of[path]} for path in ordered],
    }


REPORT = Report(write_grid)
