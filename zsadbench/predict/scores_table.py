"""`scores.csv`: one row per image, the most anomalous first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from zsadbench.errors import in_one_line
from zsadbench.files import write_atomically
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction, failed, ranked
from zsadbench.printing import spreadsheet_text

COLUMNS = (
    *("rank", "path", "score", "verdict", "threshold", "box_x0", "box_y0", "box_x1", "box_y1", "box_area"),
    *("peak_x", "peak_y", "class", "seconds", "highest", "region_pixels", "width", "height", "heat_map", "failure"),
)


def write_scores(path: Path, predictions: Iterable[Prediction], limits: Limits) -> None:
    """Write the table; images that could not be scored stand last, without a rank and with their failure.

    Texts are escaped as on the terminal, so that every row is one line of UTF-8. One that begins like a formula gets an
    apostrophe.
    """
    rows = list(predictions)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for rank, prediction in enumerate(ranked(rows), 1):
        writer.writerow({"rank": rank, **_row(prediction, limits)})
    for prediction in failed(rows):
        writer.writerow(_row(prediction, limits))
    write_atomically(path, buffer.getvalue().encode())


def _row(prediction: Prediction, limits: Limits) -> dict[str, object]:
    """Return the cells of one image; cells that it lacks are empty."""
    row: dict[str, object] = {
        "path": spreadsheet_text(prediction.image),
        "class": spreadsheet_text(prediction.word),
        "failure": spreadsheet_text(in_one_line(prediction.failure)),
    }
    if prediction.score is None:
        return row
    row |= {
        "score": prediction.score,
        "verdict": limits.verdict(prediction.score),
        "threshold": "" if limits.image is None else limits.image,
        "seconds": "" if prediction.seconds is None else f"{prediction.seconds:.4f}",
        "highest": prediction.highest,
        "heat_map": "" if prediction.heat_map is None else spreadsheet_text(prediction.heat_map),
    }
    if prediction.size is not None:
        row |= dict(zip(("width", "height"), prediction.size, strict=True))
    region = prediction.region
    if region is not None:
        row |= {
            **dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), region[:4], strict=True)),
            "box_area": region.box_area,
            "region_pixels": region.pixels,
            "peak_x": region.peak_x,
            "peak_y": region.peak_y,
        }
    return row
