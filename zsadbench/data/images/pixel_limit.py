"""The largest number of pixels that an image may have; a user raises it for files of their own.

A small file can claim a size that fills the memory, so Pillow refuses images beyond a limit. It is the limit here too,
of the whole process.
"""

import re
import warnings

from PIL import Image

DEFAULT = 2 * 89_478_485  # pixels; where Pillow refuses an image: at twice the size at which it warns

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # an image below the limit is read


def allow_pixels(limit: int | None) -> None:
    """Set the limit in pixels for this process; None sets the default."""
    Image.MAX_IMAGE_PIXELS = -(-(DEFAULT if limit is None else limit) // 2)


def max_pixels() -> int:
    """The limit in pixels."""
    return 2 * (Image.MAX_IMAGE_PIXELS or DEFAULT)


def too_large(failure: Image.DecompressionBombError) -> str:
    """Say how large an image is that Pillow refused, and how to read it all the same.

    >>> too_large(Image.DecompressionBombError("Image size (200000000 pixels) exceeds limit"))
    'it has 200,000,000 pixels, more than 178,956,970; if the file is your own, pass --max-pixels 200000000'
    """
    found = re.search(r"\d+", str(failure))
    number = int(found[0]) if found else max_pixels() + 1
    return f"it has {number:,} pixels, more than {max_pixels():,}; if the file is your own, pass --max-pixels {number}"
