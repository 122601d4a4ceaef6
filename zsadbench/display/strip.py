"""A strip of pictures: one column per image, with the image, its mask and anomaly maps below each other."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.display import html
from zsadbench.display.colour_range import ColourRange, contrast_range
from zsadbench.display.lettering import FAINT, PAPER, write_text
from zsadbench.pictures import encoded, overlay, paint, write_png

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 144  # pixels of the longer side of a picture
GAP, LINE, LETTERS = 8, 16, 12  # pixels: between pictures, height of a line of text, height of letters
TITLES = 200  # pixels, the column of titles in `Strip.picture`
FIGURE = f"margin:0;width:{SIDE}px;font-size:85%;line-height:1.3;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Row:
    """One row of a strip: its title, and one picture per column, None where there is none."""

    title: str
    pictures: tuple[Image | None, ...]


@dataclass(frozen=True)
class Strip:
    """Rows of pictures with one caption per column; notebooks show it, `picture` and `save` make one image of it."""

    rows: tuple[Row, ...]
    captions: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Show the columns side by side, in several lines where the page is narrow; the pictures are embedded."""
        figures = "".join(self._figure(column) for column in range(len(self.captions)))
        from_top = f"from top: {'; '.join(row.title for row in self.rows)}"
        lines = [from_top, *self.notes] if self.captions else ["no pictures"]
        return f'<div style="display:flex;flex-wrap:wrap;gap:{GAP}px">{figures}</div>{html.notes(lines)}'

    def _figure(self, column: int) -> str:
        caption, parts = self.captions[column], list[str]()
        height = max((picture.height for row in self.rows if (picture := row.pictures[column]) is not None), default=0)
        for row in self.rows:
            alt, picture = escape(f"{row.title}: {caption}"), row.pictures[column]
            if picture is None:
                parts.append(f'<div style="height:{height + 3}px;opacity:.7">no {escape(row.title)}</div>')
                continue
            source = f"data:image/png;base64,{b64encode(encoded(picture, 'PNG')).decode()}"
            size = f'width="{picture.width}" height="{picture.height}"'
            parts.append(f'<img alt="{alt}" {size} style="display:block;margin:0 0 3px" src="{source}"/>')
        parts.append(f'<figcaption style="white-space:pre-line">{escape(caption).replace("/", "/<wbr>")}</figcaption>')
        return f'<figure style="{FIGURE}">{"".join(parts)}</figure>'

    def picture(self) -> Image:
        """Draw the strip as one RGB image on white, with the titles of the rows at the left."""
        from PIL import Image as Pictures
        from PIL import ImageDraw

        step, captions = SIDE + GAP, [caption.split("\n") for caption in self.captions]
        lines = max(map(len, captions), default=0)
        height = len(self.rows) * step + LINE * (lines + len(self.notes)) + 2 * GAP
        sheet = Pictures.new("RGB", (TITLES + max(1, len(captions)) * step + GAP, height), PAPER)
        pen = ImageDraw.Draw(sheet)
        for number, row in enumerate(self.rows):
            top = GAP + number * step
            for line, text in enumerate(row.title.split(" (")):
                write_text(pen, (GAP, top + line * LINE), text.removesuffix(")"), LETTERS)
            for column, picture in enumerate(row.pictures):
                if picture is not None:
                    sheet.paste(picture, (TITLES + column * step, top))
        below = GAP + len(self.rows) * step
        for column, caption in enumerate(captions):
            for line, text in enumerate(caption):
                write_text(pen, (TITLES + column * step, below + line * LINE), text, LETTERS, FAINT)
        for line, text in enumerate(self.notes):
            write_text(pen, (GAP, below + (lines + line) * LINE), text, LETTERS, FAINT)
        return sheet

    def save(self, path: str | Path) -> None:
        """Write `picture` as a PNG file."""
        write_png(Path(path), self.picture())


def small(image: Image) -> Image:
    """Shrink or enlarge an image so that its longer side has `SIDE` pixels; RGB."""
    from PIL import Image as Pictures

    scale = SIDE / max(image.size)
    size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    return image.convert("RGB").resize(size, Pictures.Resampling.LANCZOS)


def mask_picture(mask: NDArray[Any], like: Image) -> Image:
    """Draw a mask, (height, width), white where it is not 0, at the size of `like`; no thin defect vanishes."""
    from PIL import Image as Pictures

    grey = Pictures.fromarray(np.where(np.asarray(mask) != 0, 255, 0).astype(np.uint8))
    shrunk = np.asarray(grey.resize(like.size, Pictures.Resampling.BOX))
    return Pictures.fromarray(np.where(shrunk > 0, 255, 0).astype(np.uint8)).convert("RGB")


def map_row(name: str, maps: Sequence[NDArray[Any] | None], images: Sequence[Image | None]) -> Row:
    """Draw anomaly maps, (height, width) each, over their images, or alone where there is no image.

    All maps of the row have one colour range, which the title states: from their median to their largest value.
    """
    from PIL import Image as Pictures

    known = [np.nan_to_num(np.asarray(values, np.float32)) for values in maps if values is not None]
    if not known:
        return Row(name, tuple(None for _ in maps))
    widest = min(float(each.min()) for each in known), max(float(each.max()) for each in known)
    scale = contrast_range(known, widest if widest[0] < widest[1] else (widest[0], widest[0] + 1.0))
    pictures: list[Image | None] = []
    for values, image in zip(maps, images, strict=True):
        if values is None:
            pictures.append(None)
        elif image is not None:
            pictures.append(overlay(image, np.nan_to_num(np.asarray(values, np.float32)), *scale))
        else:
            pictures.append(small(Pictures.fromarray(paint(np.nan_to_num(np.asarray(values, np.float32)), *scale))))
    return Row(f"{name} ({_colours(scale)})", tuple(pictures))


def _colours(scale: ColourRange) -> str:
    low, high = scale.ends
    return f"dark blue {low} to red {high}"
