"""All pictures of one image on one sheet: a row a kind of stage, its title and colour scale in front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zsadbench.pictures import paint
from zsadbench.predict.stages import REACH, Panel, Stage

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from zsadbench.types import StageNote

THUMB, GAP, WORDS, LINE = 132, 10, 300, 18  # pixels: longer side of a picture, space, width of the titles, a line
BAR = (160, 12)
INK, FAINT, PAPER = "#1a1a1a", "#666666", "#ffffff"

Row = tuple["StageNote", list[Panel]]


class Columns(NamedTuple):
    """What the pictures of a sheet share: (width, height) in pixels, and a label for every column."""

    shape: tuple[int, int]
    labels: list[str]


def contact_sheet(image: Image, stages: Sequence[Stage], headline: str) -> Image:
    """The image, then every row of pictures; as wide as the longest row, whose labels are the columns."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    rows = _rows(stages)
    scale = THUMB / max(image.size)
    shape = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    step = max(shape[1] + LINE, 4 * LINE) + GAP
    columns = Columns(shape, max(([panel.label for panel in panels] for _, panels in rows), key=len, default=[""]))
    size = (WORDS + len(columns.labels) * (shape[0] + GAP) + 2 * GAP, (len(rows) + 1) * step + LINE + 3 * GAP)
    sheet = Pictures.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    _write(pen, (GAP, GAP), headline, 15)
    top = LINE + 2 * GAP
    _write(pen, (GAP, top), "image", 13)
    sheet.paste(image.convert("RGB").resize(shape, Pictures.Resampling.BICUBIC), (WORDS, top))
    for place, (note, panels) in enumerate(rows, start=1):
        _write(pen, (GAP, top + place * step), note.title, 13)
        _legend(sheet, pen, (GAP, top + place * step + LINE + 4), note)
        _paste(sheet, pen, top + place * step, panels, columns)
    return sheet


def _paste(sheet: Image, pen: ImageDraw, top: int, panels: Sequence[Panel], columns: Columns) -> None:
    """One row of pictures, each in the column of its label."""
    from PIL import Image as Pictures

    for place, panel in enumerate(panels):
        column = columns.labels.index(panel.label) if panel.label in columns.labels else place
        left = WORDS + column * (columns.shape[0] + GAP)
        sheet.paste(Pictures.fromarray(panel.colours).resize(columns.shape, Pictures.Resampling.NEAREST), (left, top))
        _write(pen, (left, top + columns.shape[1] + 1), panel.label, 12, FAINT)


def _rows(stages: Iterable[Stage]) -> list[Row]:
    """Panels that differ in their label alone stand in one row."""
    drawn = [(stage.note, panel) for stage in stages for panel in stage.panels if stage.note is not None]
    return [(pairs[0][0], [panel for _, panel in pairs]) for pairs in _grouped(drawn)]


def _grouped(drawn: list[tuple[StageNote, Panel]]) -> list[list[tuple[StageNote, Panel]]]:
    return [list(pairs) for _, pairs in groupby(drawn, key=lambda pair: pair[1].row)]


def _legend(sheet: Image, pen: ImageDraw, corner: tuple[int, int], note: StageNote) -> None:
    """The colours of a scale between its ends, or what the colours of components mean."""
    from PIL import Image as Pictures

    left, top = corner
    if note.drawing == "tokens":
        _write(pen, corner, f"red, green, blue: components 1-3, ±{REACH:g} deviations", 11, FAINT)
        return
    ramp = np.tile(np.linspace(note.low, note.high, BAR[0]), (BAR[1], 1))
    sheet.paste(Pictures.fromarray(paint(ramp, note.low, note.high, note.scale)), (left, top))
    pen.rectangle((left, top, left + BAR[0] - 1, top + BAR[1] - 1), outline=FAINT)
    _write(pen, (left, top + BAR[1] + 1), f"{note.low:g}", 11, FAINT)
    _write(pen, (left + BAR[0], top + BAR[1] + 1), f"{note.high:g}", 11, FAINT, right=True)


def _write(
    pen: ImageDraw, corner: tuple[int, int], text: str, size: int, colour: str = INK, *, right: bool = False
) -> None:
    from PIL import ImageFont

    pen.text(corner, text, fill=colour, font=ImageFont.load_default(size), anchor="ra" if right else "la")
