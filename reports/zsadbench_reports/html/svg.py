"""Drawings of matplotlib as `<svg>` elements in the colours and font of the page, described for screen readers.

Equal numbers give equal bytes. matplotlib draws in placeholder colours, which are then replaced by variables of
`page.css`, so that one drawing fits both the light and the dark theme.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from zsadbench.printing import one_line
from zsadbench_reports.html.series import COUNT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT, MUTED, LINE = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0203{number:02x}" for number in range(COUNT))
COLOURS = {TEXT: "text", MUTED: "muted", LINE: "line"} | {colour: f"s{number}" for number, colour in enumerate(SERIES)}
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": TEXT,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": TEXT,
}


def drawing(key: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Markup:
    """Draw a figure as an `<svg>` element.

    Args:
        key: a name that is unique on the page; it prefixes the ids inside the element.
        description: the text for screen readers.
        size: width and height in inches.
        paint: draws on the figure.
    """
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with style.context(["default", STYLE | {"svg.hashsalt": key}]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the browser has a font for characters that matplotlib's font lacks
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _element(buffer.getvalue(), key, description)


def _element(svg: str, key: str, description: str) -> Markup:
    """The `<svg>` element of a file without metadata and fixed width, its ids prefixed by `key`."""
    element = svg[svg.index("<svg ") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, count=1, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', element)
    body = element[element.index(">") + 1 :]
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", body)
    for colour, name in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    start = f'<svg role="img" aria-label="{escape(one_line(description))}" {box[0] if box else ""}>'
    return Markup(start + body.strip())  # noqa: S704 - matplotlib escapes its texts, and `description` is escaped above
