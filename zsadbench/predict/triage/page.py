"""Write the triage page: data, style and script are in the file, pictures in `maps/` and `thumbnails/` beside it.

Names of images are text from outside. They reach the page as JSON in which `<`, `>` and `&` are escaped, and the script
makes text nodes of them, never markup. Addresses of pictures are relative to the page and percent-encoded; a content
security policy forbids everything else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zsadbench.errors import in_one_line
from zsadbench.files import write_atomically
from zsadbench.pictures import SCALES
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction, failed, ranked
from zsadbench.printing import one_line

FILE = "index.html"
HERE = Path(__file__).parent
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def write_page(out: Path, predictions: Iterable[Prediction], limits: Limits, about: Sequence[tuple[str, str]]) -> None:
    """Write `index.html` into the folder of results.

    Args:
        out: the folder.
        predictions: of all images.
        limits: thresholds of the call.
        about: what made the scores, pairs of a name and a text.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    rows = list(predictions)
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("triage.html.jinja").render(
        about=[(name, one_line(value)) for name, value in about],
        payload=Markup(_as_json(_payload(out, rows, limits))),  # noqa: S704 - escaped by `_as_json`
        style=Markup((HERE / "triage.css").read_text(encoding="utf-8")),  # noqa: S704 - a file of this package
        script=Markup((HERE / "triage.js").read_text(encoding="utf-8")),  # noqa: S704 - a file of this package
        colours=", ".join(SCALES["heat"]),
        scale=next((one.scale for one in rows if one.scale is not None), None),
        version=version("zsadbench"),
    )
    write_atomically(out / FILE, text.encode())


def _as_json(value: Any) -> str:
    """Return a value as JSON that cannot end the script element that holds it."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(UNSAFE)


def _payload(out: Path, rows: Sequence[Prediction], limits: Limits) -> dict[str, Any]:
    """Return the data of the script: images by rank, then those that failed."""
    images = [_image(out, prediction, rank) for rank, prediction in enumerate(ranked(rows), 1)]
    failures = [
        {"path": one_line(one.image), "name": one_line(one.relative), "failure": one_line(in_one_line(one.failure))}
        for one in failed(rows)
    ]
    return {"images": images, "failures": failures, "threshold": limits.image}


def _image(out: Path, prediction: Prediction, rank: int) -> dict[str, Any]:
    region = prediction.region
    return {
        "rank": rank,
        "path": one_line(prediction.image),
        "name": one_line(prediction.relative or prediction.image.name),
        "folder": one_line(os.path.dirname(prediction.relative)),  # noqa: PTH120  (text, relative and POSIX)
        "class": one_line(prediction.word),
        "score": prediction.score,
        "highest": prediction.highest,
        "size": prediction.size,
        "box": None if region is None else list(region[:4]),
        "peak": None if region is None else [region.peak_x, region.peak_y],
        "map": _address(prediction.heat_map, out),
        "small": _address(prediction.thumbnail, out),
    }


def _address(path: Path | None, out: Path) -> str | None:
    """The address of a file relative to the page; None for a file that is not below the page's folder."""
    if path is None or not path.is_relative_to(out):
        return None
    return quote(os.fsencode(path.relative_to(out)))
