"""The picture of one anomaly map: the map over the image, the map alone, and the colour bar with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.pictures import overlay, paint
from zsadbench.predict.colour_range import ColourRange
from zsadbench.predict.lettering import FAINT, PAPER, write_text

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

LEAST = 256  # pixels of the longer side of a panel; smaller images are enlarged
GAP, BAR, NUMBERS = 8, 14, 62  # pixels: between parts, width of the bar, space for its numbers
TEXT = 13  # pixels, the height of letters on panels of `LEAST`
STEPS = 5  # numbers along the bar


def map_picture(image: Image, scores: NDArray[Any], scale: ColourRange) -> Image:
    """Draw an anomaly map, (height, width), beside itself over an image of any size, with a colour bar."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    enlarged = max(1.0, LEAST / max(image.size))
    width, height = (max(1, round(enlarged * side)) for side in image.size)
    large = max(1.0, max(width, height) / (2 * LEAST))  # letters grow with the picture
    gap, bar, numbers, line = (round(large * pixels) for pixels in (GAP, BAR, NUMBERS, TEXT + 6))
    tall = max(height, STEPS * line)
    sheet = Pictures.new("RGB", (2 * width + 4 * gap + bar + numbers, tall + line + 2 * gap), PAPER)
    pen, top = ImageDraw.Draw(sheet), line + gap
    shown = image.convert("RGB").resize((width, height), Pictures.Resampling.BICUBIC)
    alone = Pictures.fromarray(paint(scores, *scale)).resize((width, height), Pictures.Resampling.BILINEAR)
    panels = (("map over the image", overlay(shown, scores, *scale)), ("map", alone))
    for number, (title, panel) in enumerate(panels):
        left = gap + number * (width + gap)
        write_text(pen, (left, gap // 2), title, round(large * TEXT))
        sheet.paste(panel, (left, top))
    _draw_bar(sheet, pen, (2 * width + 3 * gap, top, bar, tall), scale, round(large * TEXT))
    return sheet


def _draw_bar(sheet: Image, pen: ImageDraw, box: tuple[int, int, int, int], scale: ColourRange, letters: int) -> None:
    """Draw the colour bar, the high end on top, with numbers at equal steps; `box` is left, top, width and height."""
    from PIL import Image as Pictures

    left, top, width, height = box
    ramp = np.tile(np.linspace(scale.high, scale.low, height)[:, None], (1, width))
    sheet.paste(Pictures.fromarray(paint(ramp, *scale)), (left, top))
    pen.rectangle((left, top, left + width - 1, top + height - 1), outline=FAINT)
    digits = len(scale.ends[0].partition(".")[2])
    for step in range(STEPS):
        value = scale.high + (scale.low - scale.high) * step / (STEPS - 1)
        above = letters * step // (STEPS - 1)  # the first below its mark, the last above it
        place = top + (height - 1) * step // (STEPS - 1)
        pen.line((left + width, place, left + width + 3, place), fill=FAINT)
        write_text(pen, (left + width + 6, place - above), f"{value:.{digits}f}", letters)
