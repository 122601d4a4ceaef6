"""matplotlib's drawings as elements of the page: in its colours, its font, and announced by what they show.

Equal numbers give equal bytes. Colours are stand-ins while matplotlib draws and variables of `page.css` afterwards,
so that one drawing serves light and dark.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from zsadbench.printing import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT, MUTED, LINE = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0203{place:02x}" for place in range(8))
COLOURS = {TEXT: "text", MUTED: "muted", LINE: "line"} | {colour: f"s{place}" for place, colour in enumerate(SERIES)}
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


def drawing(key: str, spoken: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Markup:
    """What `paint` puts on a figure of `size` inches, as an `<svg>`; `key` keeps its names apart from others'."""
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with style.context(["default", STYLE | {"svg.hashsalt": key}]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that matplotlib's font lacks is set by the browser
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _element(buffer.getvalue(), key, spoken)


def _element(drawn: str, key: str, spoken: str) -> Markup:
    """The element alone: no prologue, no foreign names, its own names under `key`, as wide as its place allows."""
    element = drawn[drawn.index("<svg ") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, count=1, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', element)
    body = element[element.index(">") + 1 :]
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", body)
    for colour, name in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    start = f'<svg role="img" aria-label="{escape(one_line(spoken))}" {box[0] if box else ""}>'
    return Markup(start + body.strip())  # noqa: S704 - matplotlib escapes its texts, and `spoken` is escaped above
