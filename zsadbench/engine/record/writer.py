"""Write a record, its table of images and its sidecars after each class, for `run` and `score`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.engine.evaluate.region_quartiles import quartiles_of
from zsadbench.engine.record.details import in_order, rows_in_order, with_details
from zsadbench.engine.record.entries import with_class
from zsadbench.engine.record.pooled import pooled_entries
from zsadbench.errors import CellError, ZsadError
from zsadbench.files import locked, write_atomically
from zsadbench.records import Record, identity, read_images, read_record, write_record
from zsadbench.records.sidecars import Sidecars, read_sidecars

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.evaluate.measure import ClassResult
    from zsadbench.metrics import MetricName
    from zsadbench.protocol import EvaluationProtocol


class RecordWriter:
    """Adds classes to a record, its table of images and its sidecars, and writes them.

    Args:
        path: of the record.
        target: the data set that is evaluated.
        metrics: all metrics of the run.
        before: the record on disk that is continued; None to start with `new`.
        new: a record without classes.
        overwrite: whether a record that lies at `path` now is replaced; what other processes write later is kept.
    """

    def __init__(
        self,
        path: Path,
        target: Dataset,
        metrics: Sequence[MetricName],
        before: Record | None,
        new: Record,
        *,
        overwrite: bool = False,
    ) -> None:
        self.path, self.target, self.metrics = path, target, metrics
        self.record = before or new
        key = identity(self.record.cell)
        self.images: pd.DataFrame | None = None
        self.sidecars = Sidecars(key)
        self._seen = _stamp(path) if overwrite else None  # of the file that may be replaced without being read
        if before is not None:
            with suppress(CellError):  # raised again by `lock`, where it costs a class
                self._read_again()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of the record, and continue what other processes have added to it since.

        Raises:
            CellError: the record was replaced by a file that is no readable record.
        """
        with locked(self.path):
            self._read_again()
            yield

    def _read_again(self) -> None:
        """Read record, images and sidecars unless the record is still the file that was read or written last."""
        stamp = _stamp(self.path)
        if stamp is None or stamp == self._seen:
            return
        try:
            self.record = read_record(self.path)
        except ZsadError as failure:
            raise CellError(f"{failure}; nothing is added to it") from failure
        self.images = read_images(self.path)
        quartiles = self.sidecars.area_quartiles
        self.sidecars = read_sidecars(self.path, self.sidecars.identity)
        if self.sidecars.area_quartiles is None:
            self.sidecars = replace(self.sidecars, area_quartiles=quartiles)
        self._seen = stamp

    def area_quartiles(self, protocol: EvaluationProtocol, size: int, workers: int) -> list[float] | None:
        """Return the quartiles of region area of the whole target, in pixels; None where it has no masks or no region.

        A continued record keeps its quartiles.
        """
        if self.target.card.pixel_level and self.sidecars.area_quartiles is None:
            quartiles = quartiles_of(self.target, protocol, size, workers)
            self.sidecars = replace(self.sidecars, area_quartiles=quartiles)
        return self.sidecars.area_quartiles

    def keep_quartiles(self, quartiles: list[float] | None) -> None:
        """Keep the quartiles of region area with the record, unless it has some."""
        if self.sidecars.area_quartiles is None:
            self.sidecars = replace(self.sidecars, area_quartiles=quartiles)

    def add_class(
        self,
        class_name: str,
        result: ClassResult,
        cost: dict[str, Any],
        provenance: Mapping[str, Any],
        scores_file: Path | None = None,
    ) -> None:
        """Write the record with one more class, within `lock`; a failure leaves the record in memory as it was.

        Args:
            class_name: the class; an earlier result of it is replaced.
            result: metrics, counts, image scores and details of the class.
            cost: of the whole record.
            provenance: of the whole record.
            scores_file: path for a CSV file of all image scores; None for none.
        """
        record, sidecars = with_class(self.record, class_name, result), self.sidecars
        images = pd.DataFrame(result.images)
        record.cost, record.provenance = cost, dict(provenance)
        if self.images is not None:
            others = self.images[self.images["class"] != class_name]
            images = rows_in_order(pd.concat([others, images], ignore_index=True), record.expected)
        if result.details is not None:
            sidecars = with_details(sidecars, class_name, result.details, self.target.manifest, result.pooled)
            sidecars = in_order(sidecars, record.expected)
            sidecars.write(self.path, class_name)
        masked = self.target.card.pixel_level
        record.pooled = pooled_entries(self.metrics, record, images, sidecars.pooled, masked=masked)
        if scores_file is not None:
            write_atomically(scores_file, images[["path", "score"]].to_csv(index=False).encode())
        write_record(self.path, record, images)
        self.record, self.images, self.sidecars, self._seen = record, images, sidecars, _stamp(self.path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one file at `path` from another that replaced it; None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
