"""What a job and the shards of its classes report to its record, as plain values that a process can send to another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zsadbench.engine.evaluate.thresholds import Thresholds


@dataclass(frozen=True)
class Preparation:
    """What is known of a job once its detector is ready.

    `checkpoint` is the file of its trained parameters, None where there is none; `first_loss` is None unless it was
    trained just now. `thresholds` are those of the auxiliary set, `area_quartiles` those of the regions of the target.
    `origin` goes into the provenance of the record; `training`, which is empty unless it was trained just now, and
    `parameters` into its cost.
    """

    checkpoint: Path | None
    first_loss: float | None
    thresholds: Thresholds
    area_quartiles: list[float] | None
    origin: Mapping[str, Any]
    training: Mapping[str, Any]
    parameters: Mapping[str, int]


@dataclass(frozen=True)
class Facts:
    """What was counted and spent when one job scored some images of a class.

    `seconds` are those of every stage; the time of a shared encoding counts in full for every job. `mask_counts` are
    those of `ClassImages`. `machine` goes into the provenance of the record: the device and its threads. The peaks of
    memory, in MiB, are None where they are unknown. `learned` is of a training on the support images of the class, and
    empty without one: `seconds`, 0 where it was loaded, and the name of its `checkpoint`, None where it is not kept.
    """

    seconds: Mapping[str, float]
    mask_counts: Mapping[str, int]
    machine: Mapping[str, Any]
    peak_host_mib: float | None
    peak_device_mib: float | None
    learned: Mapping[str, Any] = field(default_factory=dict)

    def plus(self, other: Facts) -> Facts:
        """Return the facts of the images of both."""
        seconds, counts = self.seconds, self.mask_counts
        before = self.learned.get("seconds", 0.0)
        return Facts(
            {name: seconds.get(name, 0.0) + more for name, more in other.seconds.items()},
            {name: counts.get(name, 0) + more for name, more in other.mask_counts.items()},
            other.machine,
            _larger(self.peak_host_mib, other.peak_host_mib),
            _larger(self.peak_device_mib, other.peak_device_mib),
            {**other.learned, "seconds": before + other.learned["seconds"]} if other.learned else self.learned,
        )


def _larger(first: float | None, second: float | None) -> float | None:
    """Return the larger of two peaks of memory, None where both are unknown."""
    return max((peak for peak in (first, second) if peak is not None), default=None)
