"""The accumulator of one class: images come in batches, shards are merged, every pixel metric comes out.

Exact mode keeps every score: 4 bytes a normal pixel and 8 an anomalous one where maps are float32
(float16 maps are stored as float32, which is exact; float64 maps as float64, 8 and 12 bytes). The
value does not depend on the order of images, on batches or on how shards were merged, to the last bit.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics._arguments import Images, checked_limit
from zsadbench.metrics._gather import Pixels, gather, join
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, spell_limit
from zsadbench.metrics.pro import aupro_of
from zsadbench.metrics.pro200 import area_under, curve_of
from zsadbench.metrics.ranked import ranked_estimates


class PixelMetrics:
    """Every pixel metric of one class.

    `limit` in (0, 1] is the false positive rate up to which AUPRO is taken. `mode` "exact" keeps every
    score; "stream" is not built yet. `bits`, 1 to 32, is the resolution of the stream and changes
    nothing in exact mode.

    >>> metrics = PixelMetrics()
    >>> metrics.update(np.array([[[0.1, 0.4], [0.4, 0.9]]]), np.array([[[0, 0], [255, 255]]]))
    >>> metrics.compute()["auroc"].value
    0.875

    Raises:
        ValueError: the limit, the mode or the bits cannot be right.
    """

    def __init__(
        self, limit: float = DEFAULT_LIMIT, mode: Literal["exact", "stream"] = "exact", bits: int = 24
    ) -> None:
        if mode != "exact":
            raise ValueError(f"mode '{mode}' is not built; only 'exact' is")
        if not 1 <= bits <= 32:
            raise ValueError(f"bits must lie in 1 to 32, not {bits}")
        self.limit = checked_limit(limit)
        self.mode = mode
        self.bits = int(bits)
        self._parts: list[Pixels] = []
        self._joined = False

    @property
    def regions(self) -> int:
        """Regions seen so far."""
        return sum(part.regions for part in self._parts)

    def update(self, scores: Images, masks: Images) -> None:
        """Take in one batch; after an error nothing of the batch has been taken in.

        `scores` (n, height, width) float16, float32 or float64; `masks` of the same shape: boolean, 0
        and 1, or 0 and 255. Lists of two-dimensional arrays serve images of different sizes.

        Raises:
            ValueError: shapes differ, a mask value cannot be right, or a map has a NaN; the message
                names the index of the image in the batch.
        """
        self._parts.extend(gather(scores, masks))
        self._joined = False

    def merge(self, other: Self) -> Self:
        """Take in everything that `other` has seen, and return self; `other` stays as it is.

        Raises:
            ValueError: the two differ in limit, mode or bits.
        """
        mine, theirs = (self.limit, self.mode, self.bits), (other.limit, other.mode, other.bits)
        if mine != theirs:
            raise ValueError(f"accumulators differ in limit, mode or bits: {mine} and {theirs}")
        self._parts.extend(other._parts)
        self._joined = False
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """All that was seen, as arrays without objects; the same bytes for the same set of images.

        The arrays are the accumulator's own: copy them before writing into them.
        """
        pixels = self._pixels()
        return {
            "limit": np.array(self.limit),
            "mode": np.array(self.mode),
            "bits": np.array(self.bits),
            "normal": pixels.normal,
            "anomalous": pixels.anomalous,
            "area": pixels.area,
            "regions": np.array(pixels.regions),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The accumulator that wrote `state`.

        Raises:
            ValueError: an array is missing, or their sizes do not fit.
        """
        missing = {"limit", "mode", "bits", "normal", "anomalous", "area", "regions"} - set(state)
        if missing:
            raise ValueError(f"the state lacks {', '.join(sorted(missing))}")
        if state["anomalous"].shape != state["area"].shape:
            raise ValueError("the state has not one area for each anomalous score")
        found = cls(float(state["limit"]), str(state["mode"]), int(state["bits"]))  # type: ignore[arg-type]
        found._parts = [Pixels(state["normal"], state["anomalous"], state["area"], int(state["regions"]))]
        return found

    def compute(self, limits: Iterable[float] = ()) -> dict[str, Estimate]:
        """Every metric of what was seen: `auroc`, `ap`, `f1max`, `aupro`, `aupro_200`, `aupro_200_max`.

        Each further limit adds the last three under keys such as `aupro@0.05`.

        Raises:
            ValueError: a limit is not in (0, 1].
        """
        wanted = {"": self.limit, **{f"@{spell_limit(one)}": checked_limit(one) for one in limits}}
        pixels = self._pixels()
        counts, curve = pixels.counts, curve_of(pixels)
        reason = counts.missing("pixel")
        found = ranked_estimates(counts, "pixel")
        for suffix, limit in wanted.items():
            exact = Estimate.undefined(reason) if reason else Estimate.exact(aupro_of(pixels, counts, limit))
            found[f"aupro{suffix}"] = exact
            found[f"aupro_200{suffix}"] = area_under(curve, limit, from_minimum=True)
            found[f"aupro_200_max{suffix}"] = area_under(curve, limit, from_minimum=False)
        return found

    def _pixels(self) -> Pixels:
        if not self._joined:
            self._parts, self._joined = [join(self._parts)], True
        return self._parts[0]
