"""Score a large image in tiles, so that small defects keep their pixels; memory stays flat.

The rule, which `docs/predict.md` states:

- Tiles are squares of `side` pixels (smaller where the image is), at steps of `side − overlap`; the last ones end at
  the border of the image.
- Each tile is scored like an image of its own, and its map is resized bilinearly to the pixels of the tile.
- Maps are averaged with weights that rise linearly over the overlap, from the edge of a tile inwards; edges at the
  border of the image have full weight. Where one tile alone covers a pixel, its value stands unchanged.
- The score of the image is the largest score of its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.predict.detector import LoadedMethod

LEAST = 16  # pixels of a tile
BAND = 256  # rows of a map that are divided by their weights at a time


@dataclass(frozen=True)
class Tiles:
    """How images are cut: `side` of a tile and `overlap` of neighbours, in pixels.

    Raises:
        UsageError: a tile is smaller than 16 pixels, or the overlap is negative or more than half of a tile.
    """

    side: int
    overlap: int

    def __post_init__(self) -> None:
        if self.side < LEAST:
            raise UsageError(f"--tile is {self.side}; it must be at least {LEAST} pixels")
        if not 0 <= 2 * self.overlap <= self.side:
            raise UsageError(f"--overlap is {self.overlap}; it must be from 0 to half of --tile, {self.side // 2}")

    def starts(self, length: int) -> list[int]:
        """Return where tiles begin along a side of `length` pixels.

        >>> Tiles(100, 20).starts(250), Tiles(100, 20).starts(60)
        ([0, 80, 150], [0])
        """
        if length <= self.side:
            return [0]
        return [*range(0, length - self.side, self.side - self.overlap), length - self.side]

    def weights(self, start: int, length: int) -> NDArray[np.float32]:
        """Return the weights of a tile along one side, (min(side, length),), in (0, 1]."""
        side = min(self.side, length)
        ramp = np.minimum(1, (np.arange(side, dtype=np.float32) + 0.5) / max(self.overlap, 0.5))
        left = ramp if start > 0 else np.ones_like(ramp)
        right = ramp[::-1] if start + side < length else np.ones_like(ramp)
        weights: NDArray[np.float32] = np.minimum(left, right)
        return weights


def score_tiled(
    detector: LoadedMethod, image: Image, word: str, tiles: Tiles, batch_size: int
) -> tuple[float, NDArray[np.float32]]:
    """Score one image in tiles.

    Returns:
        The image score, and the anomaly map with one value per pixel of the image, (height, width).

    Raises:
        CellError: as `LoadedMethod.predict`.
    """
    width, height = image.size
    total = np.zeros((height, width), np.float32)
    best = -np.inf
    places = [(top, left) for top in tiles.starts(height) for left in tiles.starts(width)]
    side = (min(tiles.side, height), min(tiles.side, width))
    for first in range(0, len(places), batch_size):
        some = places[first : first + batch_size]
        pieces = [image.crop((left, top, left + side[1], top + side[0])) for top, left in some]
        scores = detector.score_batch(pieces, word)
        best = max(best, float(scores.image.max()))
        for (top, left), grid in zip(some, scores.pixel.numpy(), strict=True):
            weights = tiles.weights(top, height)[:, None] * tiles.weights(left, width)
            total[top : top + side[0], left : left + side[1]] += weights * resized(grid, side)
    _divide(total, _sums(tiles, height), _sums(tiles, width))
    return best, total


def resized(scores: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a map bilinearly to (height, width)."""
    from PIL import Image

    if scores.shape == shape:
        return scores
    values = Image.fromarray(np.ascontiguousarray(scores, np.float32))
    return np.asarray(values.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _sums(tiles: Tiles, length: int) -> NDArray[np.float32]:
    """Return the sum of the weights of all tiles along one side, (length,); the sum of an image is their product."""
    sums = np.zeros(length, np.float32)
    for start in tiles.starts(length):
        weights = tiles.weights(start, length)
        sums[start : start + len(weights)] += weights
    return sums


def _divide(total: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32]) -> None:
    """Divide a weighted sum by its weights, in place and in bands."""
    for start in range(0, len(total), BAND):
        band = slice(start, start + BAND)
        total[band] /= rows[band, None] * columns
