"""Draw how often each resample contains each image; the numbers of normal and of anomalous images stay."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Bools, Int64s
from zsadbench.metrics.counting.spill_buffer import SmallArrays

COUNTS = 1 << 16  # of images in resamples, at once


class Draws:
    """How often each resample contains each image; the first one contains every image once, then come `draws` more.

    Args:
        labels: whether each image is anomalous, (images,).
        draws: number of resamples.
        seed: decides them.
    """

    def __init__(self, labels: Bools, draws: int, seed: int | Sequence[int]) -> None:
        self.labels, self.size = labels, 1 + draws
        self.members: tuple[Int64s, Int64s] = (np.flatnonzero(~labels), np.flatnonzero(labels))  # by label
        self._type = np.min_scalar_type(labels.size)
        self._times = (SmallArrays(), SmallArrays())  # by label: (resamples, members)
        rng = np.random.default_rng(seed)
        for members, times in zip(self.members, self._times, strict=True):
            times.put(np.ones(members.size, self._type))
            at_once = at_once_of(members.size)
            for start in range(0, draws if members.size else 0, at_once):
                some = min(at_once, draws - start)
                flat = rng.integers(0, members.size, (some, members.size))
                flat += np.arange(some)[:, None] * members.size
                times.put(np.bincount(flat.reshape(-1), minlength=flat.size).astype(self._type))

    def rows(self, start: int, stop: int) -> NDArray[np.unsignedinteger]:
        """Return how often the resamples from `start` to `stop` contain each image, (resamples, images)."""
        found = np.empty((stop - start, self.labels.size), self._type)
        for label, members in enumerate(self.members):
            found[:, members] = self.of_members(label, 0, members.size, start, stop)
        return found

    def of_members(self, label: int, first: int, last: int, start: int, stop: int) -> NDArray[np.unsignedinteger]:
        """Return how often these resamples contain the members `first` to `last` of a label, (resamples, members)."""
        width, step = self.members[label].size, self._type.itemsize
        if (first, last) == (0, width):
            every = self._times[label].get(start * width * step, (stop - start) * width, self._type)
            return every.reshape(stop - start, width)
        places = ((row * width + first) * step for row in range(start, stop))
        return np.stack([self._times[label].get(place, last - first, self._type) for place in places])


def at_once_of(images: int) -> int:
    """Return how many resamples of so many images are counted at once, so that memory does not grow with both."""
    return max(1, COUNTS // max(1, images))
