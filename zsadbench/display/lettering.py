"""Text on pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

INK, FAINT, PAPER = "#1a1a1a", "#666666", "#ffffff"


def write_text(
    pen: ImageDraw, corner: tuple[int, int], text: str, size: int, colour: str = INK, *, right: bool = False
) -> None:
    """Write one line of text with its top left corner, or its top right one, at `corner`."""
    from PIL import ImageFont

    pen.text(corner, text, fill=colour, font=ImageFont.load_default(size), anchor="ra" if right else "la")
