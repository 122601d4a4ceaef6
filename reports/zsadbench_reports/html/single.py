"""Single tables as a page of their own, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import Table, blocks
from zsadbench.printing import one_line
from zsadbench_reports.files import write
from zsadbench_reports.html.templates import environment_of, plain


def write_tables(tables: Sequence[Table], title: str, path: Path) -> Path:
    """Write single tables below a title as `path` with the suffix `.html`; the page loads nothing."""
    environment = environment_of(None)
    styles = plain(environment, ("html/page.css",))
    template = environment.get_template("html/single.html.jinja")
    text = template.render(title=one_line(title), styles=styles, many=tables, blocks=blocks)
    return write(path.parent, f"{path.name}.html", text)
