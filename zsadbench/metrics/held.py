"""Pixels that the caller holds: counted where they lie, nothing kept."""

from zsadbench.metrics._arguments import Images, checked_connectivity
from zsadbench.metrics._groups import Groups
from zsadbench.metrics._image import read
from zsadbench.metrics._threads import threads_of
from zsadbench.metrics.exact import ExactPixels
from zsadbench.metrics.pro200 import Curve
from zsadbench.metrics.tables import tables_of


def held_groups(
    scores: Images, masks: Images, connectivity: int = 8, threads: int | None = None
) -> tuple[Groups, Curve]:
    """The groups of all pixels of some images, and their curve at 200 thresholds.

    Raises:
        ValueError: shapes differ, a mask value cannot be right, or a map has a NaN.
    """
    number = threads_of(threads)
    pixels = ExactPixels(None)
    pixels.add(read(scores, masks, checked_connectivity(connectivity), number), number)
    return tables_of(pixels, number)
