"""The contact sheet of `explain`: all pictures of one image, one row per kind of stage with its title and scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.display.lettering import FAINT, PAPER, write_text
from zsadbench.pictures import Scale, overlay, paint
from zsadbench.predict.stages import TOKEN_RANGE, Panel, Stage

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from zsadbench.types import StageNote

# pixels: longer side of a picture, space between pictures, width of the column of titles, height of a line of text
THUMB, GAP, TITLES, LINE = 132, 10, 300, 18
BAR = (160, 12)  # pixels: width and height of a colour scale

WORDS: dict[Scale, str] = {
    "heat": "dark blue: low, red: high",
    "grey": "black: low, white: high",
    "signed": "blue: low, white: middle, red: high",
}

SheetRow = tuple["StageNote", list[Panel]]


class Columns(NamedTuple):
    """The columns of a sheet: (width, height) of every picture in pixels, and one label per column."""

    shape: tuple[int, int]
    labels: list[str]


def contact_sheet(
    image: Image,
    stages: Sequence[Stage],
    headline: str,
    anomaly_map: tuple[NDArray[np.float32], float, float] | None = None,
) -> Image:
    """Draw the image and, below it, one row of pictures per kind of stage, the anomaly map first.

    The sheet is as wide as its longest row, whose labels name the columns. `anomaly_map` is the map that is drawn over
    the image, with the ends of its scale.
    """
    from PIL import Image as Pictures
    from PIL import ImageDraw

    rows = _rows(stages)
    scale = THUMB / max(image.size)
    shape = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    step = max(shape[1] + LINE, 4 * LINE) + GAP
    columns = Columns(shape, max(([panel.label for panel in panels] for _, panels in rows), key=len, default=[""]))
    size = (TITLES + max(2, len(columns.labels)) * (shape[0] + GAP) + 2 * GAP, (len(rows) + 1) * step + LINE + 3 * GAP)
    sheet = Pictures.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    write_text(pen, (GAP, GAP), headline, 15)
    top = LINE + 2 * GAP
    write_text(pen, (GAP, top), "image; the map over it", 13)
    small = image.convert("RGB").resize(shape, Pictures.Resampling.BICUBIC)
    sheet.paste(small, (TITLES, top))
    if anomaly_map is not None:
        sheet.paste(overlay(small, *anomaly_map), (TITLES + shape[0] + GAP, top))
    for note, panels in rows:
        top += step
        write_text(pen, (GAP, top), note.title, 13)
        _draw_scale(sheet, pen, (GAP, top + LINE + 4), note)
        _draw_panels(sheet, pen, top, panels, columns)
    return sheet


def _rows(stages: Iterable[Stage]) -> list[SheetRow]:
    """Group the panels of all stages by row; the first note of a row is its title."""
    panels = [(stage.note, panel) for stage in stages for panel in stage.panels if stage.note is not None]
    rows = [list(row) for _, row in groupby(panels, key=lambda pair: pair[1].row)]
    return [(row[0][0], [panel for _, panel in row]) for row in rows]


def _draw_panels(sheet: Image, pen: ImageDraw, top: int, panels: Sequence[Panel], columns: Columns) -> None:
    """Draw one row of pictures, each in the column of its label."""
    from PIL import Image as Pictures

    for number, panel in enumerate(panels):
        column = columns.labels.index(panel.label) if panel.label in columns.labels else number
        left = TITLES + column * (columns.shape[0] + GAP)
        sheet.paste(Pictures.fromarray(panel.colours).resize(columns.shape, Pictures.Resampling.NEAREST), (left, top))
        write_text(pen, (left, top + columns.shape[1] + 1), panel.label, 12, FAINT)


def _draw_scale(sheet: Image, pen: ImageDraw, corner: tuple[int, int], note: StageNote) -> None:
    """Draw a colour scale with its two ends, or write what the colours of components mean."""
    from PIL import Image as Pictures

    left, top = corner
    if note.drawing == "tokens":
        write_text(pen, corner, f"red, green, blue: components 1-3, ±{TOKEN_RANGE:g} deviations", 11, FAINT)
        return
    ramp = np.tile(np.linspace(note.low, note.high, BAR[0]), (BAR[1], 1))
    sheet.paste(Pictures.fromarray(paint(ramp, note.low, note.high, note.scale)), (left, top))
    pen.rectangle((left, top, left + BAR[0] - 1, top + BAR[1] - 1), outline=FAINT)
    write_text(pen, (left, top + BAR[1] + 1), f"{note.low:g}", 11, FAINT)
    write_text(pen, (left + BAR[0], top + BAR[1] + 1), f"{note.high:g}", 11, FAINT, right=True)
    write_text(pen, (left, top + BAR[1] + 15), WORDS[note.scale], 11, FAINT)
