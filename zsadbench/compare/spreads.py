"""How pixel metrics move with other images: drawn from the counts of pixels that lie beside a record.

All methods meet the same draws of the images of a class; see `zsadbench.metrics.intervals`.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zsadbench.compare.significance import Values
from zsadbench.metrics.intervals import Deviations, Spread
from zsadbench.sidecars import Arrays, read_spread

log = logging.getLogger(__name__)


class Spreads:
    """The counts beside records, each file read and each class drawn once; `draws` as the bootstrap's."""

    def __init__(self, draws: int) -> None:
        self.draws = draws
        self._files: dict[Path, Mapping[str, Arrays]] = {}
        self._drawn: dict[tuple[Path, str, str], tuple[dict[str, bool], Deviations]] = {}

    def deviations(
        self, records: Mapping[str, Sequence[Path]], target: str, class_name: str, metric: str
    ) -> dict[str, Values] | None:
        """Method → (seeds, draws): the metric of drawn images less that of all, for the `records` of each method.

        None where a record has no counts, where they lack the metric, or where methods have not seen the same images.
        """
        found = {
            entry: [self._of(path, target, class_name) for path in paths] for entry, paths in records.items() if paths
        }
        every = [one for own in found.values() for one in own]
        if len(found) < len(records) or any(one is None or metric not in one[1] for one in every):
            return None
        if any(one is not None and every[0] is not None and one[0] != every[0][0] for one in every):
            return None
        return {entry: np.stack([one[1][metric] for one in own if one is not None]) for entry, own in found.items()}

    def _of(self, path: Path, target: str, class_name: str) -> tuple[dict[str, bool], Deviations] | None:
        """The labels of the images and the deviations of every metric; None without counts."""
        if path not in self._files:
            self._files[path] = read_spread(path) or {}
        if class_name not in self._files[path]:
            return None
        key = path, target, class_name
        if key not in self._drawn:
            try:
                spread = Spread.from_state(self._files[path][class_name])
            except ValueError as failure:
                log.warning("no readable counts of '%s' beside '%s': %s", class_name, path, failure)
                return None
            seed = zlib.crc32(f"{target}/{class_name}".encode())  # a class draws as it does for every other method
            self._drawn[key] = spread.labels, spread.deviations(self.draws, seed)
        return self._drawn[key]
