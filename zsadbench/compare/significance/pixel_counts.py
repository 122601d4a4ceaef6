"""Bootstrap of pixel metrics from the counts of pixels in the sidecars of records.

All methods are evaluated on the same resampled images of a class; see `zsadbench.metrics.intervals`.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zsadbench.compare.significance.differences import FloatArray
from zsadbench.metrics.intervals import BootstrapCounts, Deviations
from zsadbench.records.sidecars import read_spread

log = logging.getLogger(__name__)


class ClassDeviations(NamedTuple):
    """One class of one record: whether each image is anomalous, and how resampling the images changes every metric."""

    labels: Mapping[str, bool]
    deviations: Deviations


class PixelCounts:
    """The counts of pixels of records, resampled `draws` times; each file is read once.

    Only the deviations are kept in memory, not the counts.
    """

    def __init__(self, draws: int) -> None:
        self.draws = draws
        self._files: dict[Path, dict[str, ClassDeviations]] = {}

    def deviations(
        self, records: Mapping[str, Sequence[Path]], target: str, class_name: str, metric: str
    ) -> dict[str, FloatArray] | None:
        """The metric on resampled images minus the metric on all images, by method.

        Args:
            records: for each method the paths of its records, one per seed.
            target: the data set.
            class_name: the class.
            metric: a metric of pixels.

        Returns:
            Method → float64 array (seeds, draws); None where a record has no counts, where they lack the metric, or
            where the records were evaluated on different images.
        """
        by_method = {
            entry: [self._of_record(path, target).get(class_name) for path in paths] for entry, paths in records.items()
        }
        known = [seed for seeds in by_method.values() for seed in seeds if seed is not None]
        if not known or any(None in seeds or not seeds for seeds in by_method.values()):
            return None
        if any(metric not in seed.deviations or seed.labels != known[0].labels for seed in known):
            return None
        return {
            entry: np.stack([seed.deviations[metric] for seed in seeds if seed]) for entry, seeds in by_method.items()
        }

    def _of_record(self, path: Path, target: str) -> dict[str, ClassDeviations]:
        """The deviations of every class of a record; empty without counts."""
        if path not in self._files:
            self._files[path] = dict(self._read(path, target))
        return self._files[path]

    def _read(self, path: Path, target: str) -> Iterator[tuple[str, ClassDeviations]]:
        for name, state in (read_spread(path) or {}).items():
            try:
                counts = BootstrapCounts.from_state(state)
            except ValueError as failure:
                log.warning("no readable counts of class '%s' in the sidecar of '%s': %s", name, path, failure)
                continue
            seed = zlib.crc32(f"{target}/{name}".encode())  # the same images of a class for every method
            yield name, ClassDeviations(counts.labels, counts.deviations(self.draws, seed))
