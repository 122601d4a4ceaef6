"""Pixels of maps that the caller keeps in memory: counted without a copy."""

import numpy as np

from zsadbench.metrics.counting.arguments import Images, checked_connectivity
from zsadbench.metrics.counting.exact import ExactPixels
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import read
from zsadbench.metrics.counting.threads import threads_of


def pixels_in_memory(scores: Images, masks: Images, connectivity: int = 8, threads: int | None = None) -> ExactPixels:
    """Read all images of a class, (n, height, width) scores and masks, without copying the scores.

    Raises:
        ValueError: shapes differ, a mask value cannot be right, or a map has a NaN.
    """
    number = threads_of(threads)
    pixels = ExactPixels(None)
    pixels.add(read(scores, masks, checked_connectivity(connectivity), number), number)
    return pixels


def groups_in_memory(scores: Images, masks: Images, connectivity: int = 8, threads: int | None = None) -> Groups:
    """Group all pixels of a class by distinct anomalous score; arguments and errors as `pixels_in_memory`."""
    pixels = pixels_in_memory(scores, masks, connectivity, threads)
    return pixels.groups(np.empty(0, np.float32), threads_of(threads))[0]
