"""Count the pixels of maps that the caller keeps in memory; the maps are not copied."""

import numpy as np

from zsadbench.metrics.counting.arguments import checked_connectivity
from zsadbench.metrics.counting.arrays import Images
from zsadbench.metrics.counting.exact import ExactPixels
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import read_images
from zsadbench.metrics.counting.threads import threads_of


def pixels_in_memory(scores: Images, masks: Images, connectivity: int = 8) -> ExactPixels:
    """Read all images of a class: maps and masks (n, height, width), or lists of n arrays of different sizes.

    Raises:
        ValueError: shapes differ, a mask value is invalid, a map has a NaN, or the connectivity is neither 4 nor 8.
    """
    threads = threads_of(None)
    pixels = ExactPixels(None)
    pixels.add(read_images(scores, masks, checked_connectivity(connectivity), threads), threads)
    return pixels


def groups_in_memory(scores: Images, masks: Images, connectivity: int = 8) -> Groups:
    """Group all pixels of a class by distinct anomalous score; arguments and errors are those of `pixels_in_memory`."""
    return pixels_in_memory(scores, masks, connectivity).groups(np.empty(0, np.float32), threads_of(None))[0]
