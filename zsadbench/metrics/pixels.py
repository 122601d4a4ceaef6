"""PixelMetrics: accumulate the pixels of one class in batches, merge shards, compute every pixel metric.

Exact mode keeps every score: 4 bytes per normal pixel and 8 per anomalous one for float32 maps (float16 maps are stored
as float32, which is exact; float64 maps as float64, 8 and 12 bytes), beyond `memory` in a temporary file. Stream mode
counts scores by their upper bits and keeps no map: a few megabytes for any number of images, and bounds around every
value.

Neither the order of images, nor batches, nor how shards were merged, nor the number of threads changes a bit of a
value, a bound or a state.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity, checked_limit
from zsadbench.metrics.counting.arrays import Images
from zsadbench.metrics.counting.exact import ExactPixels
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import Image, read_images
from zsadbench.metrics.counting.spill_buffer import BUDGET, SpillBuffer
from zsadbench.metrics.counting.stream import StreamPixels
from zsadbench.metrics.counting.threads import threads_of
from zsadbench.metrics.curves import Curve, curves_of
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, spell_limit
from zsadbench.metrics.pro import aupro_within
from zsadbench.metrics.pro200 import Curve200, area_under, groups_and_curve, kept_rates
from zsadbench.metrics.rank_metrics import rank_estimates

Mode = Literal["exact", "stream"]
EXACT = frozenset({"normal", "anomalous", "area", "regions"})
STREAM = frozenset(StreamPixels(1).state())


class PixelMetrics:
    """Every pixel metric of one class.

    `limit` in (0, 1] is the false positive rate up to which AUPRO is taken. `mode` "exact" keeps every score, "stream"
    the counts of scores by the first `bits`, 1 to 32, of their keys; bits change nothing in exact mode. `connectivity`,
    8 or 4, says whether corners connect pixels into regions. `threads` is the number of threads, by default one per
    processor; `memory` the bytes of scores that are kept before a temporary file takes more; without `copy`, exact mode
    refers to the given maps, which must then not be changed.

    >>> metrics = PixelMetrics()
    >>> metrics.update(np.array([[[0.1, 0.4], [0.4, 0.9]]]), np.array([[[0, 0], [255, 255]]]))
    >>> metrics.compute()["auroc"].value
    0.875

    Raises:
        ValueError: the limit, the mode, the bits, the connectivity or the number of threads is invalid.
    """

    def __init__(
        self,
        limit: float = DEFAULT_LIMIT,
        mode: Mode = "exact",
        bits: int = 24,
        *,
        connectivity: int = 8,
        threads: int | None = None,
        memory: int = BUDGET,
        copy: bool = True,
    ) -> None:
        if mode not in ("exact", "stream"):
            raise ValueError(f"mode must be 'exact' or 'stream', not '{mode}'")
        if not 1 <= bits <= 32:
            raise ValueError(f"bits must lie in 1 to 32, not {bits}")
        self.limit, self.mode, self.bits = checked_limit(limit), mode, int(bits)
        self._corners = checked_connectivity(connectivity)
        self.connectivity = int(connectivity)
        self.threads = threads_of(threads)
        self._groups_and_curve: tuple[Groups, Curve200] | None = None
        self._pixels: ExactPixels | StreamPixels
        if mode == "stream":
            self._pixels = StreamPixels(self.bits)
        else:
            self._pixels = ExactPixels(SpillBuffer(memory) if copy else None)

    @property
    def regions(self) -> int:
        """Number of regions so far."""
        return self._pixels.regions

    def update(self, scores: Images, masks: Images) -> None:
        """Add one batch; after an error nothing of the batch has been added.

        `scores` (n, height, width) float16, float32 or float64; `masks` of the same shape: boolean, 0 and 1, or 0 and
        255. Images of different sizes are given as lists of two-dimensional arrays.

        Raises:
            ValueError: shapes differ, a mask value is invalid, or a map has a NaN; the message names the index of the
                image in the batch.
        """
        self.take(self.read(scores, masks))

    def read(self, scores: Images, masks: Images) -> list[Image]:
        """Check a batch and label its regions, for `take`; arguments and errors are those of `update`."""
        return read_images(scores, masks, self._corners, self.threads)

    def take(self, images: Sequence[Image]) -> None:
        """Add images that `read` has read, all of a batch or some of it."""
        self._groups_and_curve = None
        self._pixels.add(images, self.threads)

    def merge(self, other: Self) -> Self:
        """Add all pixels of `other`, and return self; `other` stays as it is.

        Raises:
            ValueError: the two differ in limit, mode, bits or connectivity.
        """
        if self._settings() != other._settings():
            differ = f"{self._settings()} and {other._settings()}"
            raise ValueError(f"accumulators differ in limit, mode, bits or connectivity: {differ}")
        self._groups_and_curve = None
        self._pixels.merge(other._pixels)  # type: ignore[arg-type]  # of one mode, so of one type
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all pixels, as arrays without objects; the same bytes for the same set of images.

        The arrays may be those of the accumulator: copy them before writing to them.
        """
        names = ("limit", "mode", "bits", "connectivity")
        settings = {name: np.array(value) for name, value in zip(names, self._settings(), strict=True)}
        return settings | self._pixels.state()

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the accumulator whose `state` this is.

        Raises:
            ValueError: an array is missing, or their sizes do not fit together.
        """
        mode = str(state.get("mode", "exact"))
        missing = {"limit", "mode", "bits", "connectivity", *(STREAM if mode == "stream" else EXACT)} - set(state)
        if missing:
            raise ValueError(f"the state lacks {', '.join(sorted(missing))}")
        limit, bits, connectivity = float(state["limit"]), int(state["bits"]), int(state["connectivity"])
        restored = cls(limit, mode, bits, connectivity=connectivity)  # type: ignore[arg-type]
        restored._pixels.restore(state)
        return restored

    def compute(self, limits: Iterable[float] = ()) -> dict[str, Estimate]:
        """Every metric of the pixels so far: `auroc`, `ap`, `f1max`, `aupro`, `aupro_200`, `aupro_200_max`.

        Each further limit adds the last three under keys such as `aupro@0.05`.

        Raises:
            ValueError: a limit is not in (0, 1].
        """
        by_suffix = {"": self.limit, **{f"@{spell_limit(limit)}": checked_limit(limit) for limit in limits}}
        groups, curve = self.tables()
        reason = groups.counts.undefined_reason("pixel")
        estimates = rank_estimates(groups.counts, "pixel")
        for suffix, limit in by_suffix.items():
            estimates[f"aupro{suffix}"] = Estimate.undefined(reason) if reason else aupro_within(groups, limit)
            estimates[f"aupro_200{suffix}"] = area_under(curve, limit, from_minimum=True)
            estimates[f"aupro_200_max{suffix}"] = area_under(curve, limit, from_minimum=False)
        return estimates

    def groups(self) -> Groups:
        """The anomalous pixels in groups of one score, or in a stream of one bin: the input of every metric."""
        return self.tables()[0]

    def tables(self) -> tuple[Groups, Curve200]:
        """The groups, and the curve at the 200 thresholds of the variants that papers publish."""
        if self._groups_and_curve is None:
            self._groups_and_curve = groups_and_curve(self._pixels, self.threads)
        return self._groups_and_curve

    def curves(self, points: int = 512) -> dict[str, Curve]:
        """The curves `roc`, `pr` and `pro`, each of at most `points` points; none if the metrics are undefined.

        Raises:
            ValueError: `points` is less than 2.
        """
        groups = self.groups()
        return curves_of(groups, points) if groups.counts.defined else {}

    def span_200(self, limit: float | None = None) -> tuple[float, float] | None:
        """The false positive rates that the 200-threshold variants stretch to 0 and 1; None if no rate is kept."""
        kept = kept_rates(self.tables()[1], self.limit if limit is None else checked_limit(limit))
        return (float(kept.min()), float(kept.max())) if kept.size else None

    def _settings(self) -> tuple[float, str, int, int]:
        return self.limit, self.mode, self.bits, self.connectivity
