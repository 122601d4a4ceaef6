"""The picture of one anomaly map: the map over the image, the map alone, and the colour bar with its numbers.

Both panels have the resolution of the image itself: values of the map are interpolated bilinearly between its cells and
then coloured, in bands of rows, so that the memory beside the picture is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.display.colour_range import ColourRange
from zsadbench.display.lettering import FAINT, INK, PAPER, write_text
from zsadbench.pictures import OPACITY, Colours, paint
from zsadbench.predict.regions import Region, pooled

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

LEAST = 256  # pixels of the longer side of a panel; smaller images are enlarged
GAP, BAR, NUMBERS = 8, 14, 62  # pixels: between parts, width of the bar, space for its numbers
TEXT = 13  # pixels, the height of letters on panels of `LEAST`
STEPS = 5  # numbers along the bar
BAND = 1_000_000  # pixels that are coloured at a time
THUMBNAIL = 320  # pixels of the longer side of each of the two panels


def map_picture(image: Image, scores: NDArray[Any], scale: ColourRange) -> Image:
    """Draw an anomaly map, (height, width), beside itself over an image of any size, with a colour bar."""
    from PIL import Image as Pictures

    _, bands = picture_bands(image, scores, scale)
    return Pictures.fromarray(np.concatenate(list(bands)))


def picture_bands(image: Image, scores: NDArray[Any], scale: ColourRange) -> tuple[tuple[int, int], Iterator[Colours]]:
    """Draw the picture of `map_picture` in bands of rows.

    Returns:
        (width, height) of the picture in pixels; and the bands from top to bottom, uint8 (rows, width, 3).
    """
    from PIL import Image as Pictures

    enlarged = max(1.0, LEAST / max(image.size))
    width, height = (max(1, round(enlarged * side)) for side in image.size)
    large = max(1.0, max(width, height) / (2 * LEAST))  # letters grow with the picture
    gap, bar, numbers, line = (round(large * pixels) for pixels in (GAP, BAR, NUMBERS, TEXT + 6))
    tall, letters = max(height, STEPS * line), round(large * TEXT)
    whole = (2 * width + 4 * gap + bar + numbers, tall + line + 2 * gap)
    titles = {gap: "map over the image", 2 * gap + width: "map"}

    def bands() -> Iterator[Colours]:
        yield _titles((whole[0], line + gap), titles, gap // 2, letters)
        legend = _legend((2 * gap + bar + numbers, whole[1] - line - gap), (gap, bar, tall), scale, letters)
        shown = _rgb(image, (width, height))
        for start, colours in _coloured(scores, (width, height), scale):
            band = np.full((colours.height, whole[0], 3), 255, np.uint8)
            part = shown.crop((0, start, width, start + colours.height))
            band[:, gap : gap + width] = np.asarray(Pictures.blend(part, colours, OPACITY))
            band[:, 2 * gap + width : 2 * (gap + width)] = np.asarray(colours)
            band[:, 2 * (gap + width) :] = legend[start : start + colours.height]
            yield band
        below = np.full((len(legend) - height, whole[0], 3), 255, np.uint8)
        below[:, 2 * (gap + width) :] = legend[height:]
        yield below

    return whole, bands()


def _titles(size: tuple[int, int], titles: Mapping[int, str], top: int, letters: int) -> Colours:
    """Draw the row of titles, each at its left edge."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    sheet = Pictures.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for left, title in titles.items():
        write_text(pen, (left, top), title, letters)
    return np.asarray(sheet)


def _legend(size: tuple[int, int], bar: tuple[int, int, int], scale: ColourRange, letters: int) -> Colours:
    """Draw the column of the colour bar; `bar` is its left edge, width and height."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    sheet = Pictures.new("RGB", size, PAPER)
    _draw_bar(sheet, ImageDraw.Draw(sheet), (bar[0], 0, *bar[1:]), scale, letters)
    return np.asarray(sheet)


def thumbnail(image: Image, scores: NDArray[Any], scale: ColourRange, region: Region | None = None) -> Image:
    """Draw an image and, at its right, the map over it, each with a longer side of at most 320 pixels.

    The box of the region is drawn over both.

    A map that is larger is pooled by its maximum, so that no small defect vanishes.
    """
    from PIL import Image as Pictures
    from PIL import ImageDraw

    reduced = min(1.0, THUMBNAIL / max(image.size))
    width, height = (max(1, round(reduced * side)) for side in image.size)
    small = _rgb(image, (width, height))
    sheet = Pictures.new("RGB", (2 * width, height))
    sheet.paste(small, (0, 0))
    for start, colours in _coloured(pooled(scores, 2 * THUMBNAIL)[0], (width, height), scale):
        rows = (0, start, width, start + colours.height)
        sheet.paste(Pictures.blend(small.crop(rows), colours, OPACITY), (width, start))
    if region is not None:
        pen = ImageDraw.Draw(sheet)
        x0, y0, x1, y1 = (round(reduced * edge) for edge in region[:4])
        for left in (0, width):
            box = left + x0, y0, left + max(x0, x1 - 1), max(y0, y1 - 1)
            pen.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=INK)
            pen.rectangle(box, outline=PAPER)
    return sheet


def _rgb(image: Image, size: tuple[int, int]) -> Image:
    """The image in RGB and at this size; itself where it is both."""
    from PIL import Image as Pictures

    if image.size != size:
        image = image.resize(size, Pictures.Resampling.BICUBIC, reducing_gap=3.0)
    return image if image.mode == "RGB" else image.convert("RGB")


def _coloured(scores: NDArray[Any], size: tuple[int, int], scale: ColourRange) -> Iterator[tuple[int, Image]]:
    """Colour a map at a size in bands of rows: the first row of each, and its picture."""
    from PIL import Image as Pictures

    width, height = size
    whole = scores.shape == (height, width)
    values = None if whole else Pictures.fromarray(np.ascontiguousarray(scores, np.float32))
    for start in range(0, height, max(1, BAND // width)):
        end = min(height, start + max(1, BAND // width))
        if values is None:
            band = scores[start:end]
        else:  # the box may begin inside a cell, and its neighbours are read: bands have no seams
            box = (0, start * values.height / height, values.width, end * values.height / height)
            band = np.asarray(values.resize((width, end - start), Pictures.Resampling.BILINEAR, box=box))
        yield start, Pictures.fromarray(paint(band, *scale))


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
