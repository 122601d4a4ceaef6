"""Generate maps and masks like those of a detector; image i is the same for any number of images."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

SIZE = 518  # pixels
GRID = 37  # patches
NORMAL = 0.45  # of the images


def generate(number: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return maps (number, 518, 518) and masks of 0 and 1: enlarged patch logits, sigmoid, smoothed; irregular regions.

    45 % of the images are normal, the others have one to six regions of 9 to 25,000 pixels.
    """
    maps, masks = np.empty((number, SIZE, SIZE), np.float32), np.zeros((number, SIZE, SIZE), np.uint8)
    for index in range(number):
        maps[index], masks[index] = generate_image(index)
    return maps, masks


def generate_image(seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return one map and its mask."""
    rng = np.random.default_rng(seed)
    logits, mask = rng.normal(size=(GRID, GRID)) - 3, np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(rng.integers(1, 7) if rng.random() >= NORMAL else 0):
        mask |= _region(rng)
    patch = SIZE // GRID
    logits += 2.5 * mask.reshape(GRID, patch, GRID, patch).mean((1, 3))
    scores = 1 / (1 + np.exp(-zoom(logits, patch, order=1)))
    return gaussian_filter(scores, 4).astype(np.float32), mask


def _region(rng: np.random.Generator) -> NDArray[np.bool_]:
    radius = np.sqrt(np.exp(rng.uniform(np.log(9), np.log(25_000))) / np.pi)
    centre, phase = rng.uniform(0, SIZE, 2), rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:SIZE, :SIZE]
    angle = np.arctan2(y - centre[0], x - centre[1])
    edge = radius * (1 + 0.3 * np.sin(3 * angle + phase) + 0.2 * np.sin(5 * angle))
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < edge**2
