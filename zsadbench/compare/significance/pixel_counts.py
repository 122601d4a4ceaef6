"""How pixel metrics move with other images: drawn from the counts of pixels that lie beside a record.

All methods meet the same draws of the images of a class; see `zsadbench.metrics.intervals`.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zsadbench.compare.significance.differences import Values
from zsadbench.metrics.intervals import BootstrapCounts, Deviations
from zsadbench.records.sidecars import read_spread

log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """The images of a class, anomalous or not, and what drawing them changes in every metric."""

    labels: Mapping[str, bool]
    deviations: Deviations


class Spreads:
    """The counts beside records; each file is read and drawn from once, and only what was drawn is kept.

    `draws` are as many as the bootstrap's.
    """

    def __init__(self, draws: int) -> None:
        self.draws = draws
        self._files: dict[Path, dict[str, Drawn]] = {}

    def deviations(
        self, records: Mapping[str, Sequence[Path]], target: str, class_name: str, metric: str
    ) -> dict[str, Values] | None:
        """Method → (seeds, draws): the metric of drawn images less that of all, for the `records` of each method.

        None where a record has no counts, where they lack the metric, or where methods have not seen the same images.
        """
        found = {entry: [self._of(path, target).get(class_name) for path in paths] for entry, paths in records.items()}
        drawn = [one for own in found.values() for one in own if one is not None]
        if not drawn or any(None in own or not own for own in found.values()):
            return None
        if any(metric not in one.deviations or one.labels != drawn[0].labels for one in drawn):
            return None
        return {entry: np.stack([one.deviations[metric] for one in own if one]) for entry, own in found.items()}

    def _of(self, path: Path, target: str) -> dict[str, Drawn]:
        """What was drawn of every class of a record; empty without counts."""
        if path not in self._files:
            self._files[path] = dict(self._read(path, target))
        return self._files[path]

    def _read(self, path: Path, target: str) -> Iterator[tuple[str, Drawn]]:
        for name, state in (read_spread(path) or {}).items():
            try:
                spread = BootstrapCounts.from_state(state)
            except ValueError as failure:
                log.warning("no readable counts of '%s' beside '%s': %s", name, path, failure)
                continue
            seed = zlib.crc32(f"{target}/{name}".encode())  # a class draws the same images for every method
            yield name, Drawn(spread.labels, spread.deviations(self.draws, seed))
