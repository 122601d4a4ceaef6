"""Choose the batch size of the image encoder, and halve batches that do not fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import torch

from zsadbench.engine.machine.device import BATCH, is_shortage
from zsadbench.engine.machine.timing import seconds_of, wait_for

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.types import Taps

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BATCH = 256  # the largest batch that is tried
MIN_SPEEDUP = 1.05  # images per second that a doubled batch must reach, relative to the smaller one


def automatic_batch(backbone: Backbone, taps: Taps, precision: torch.dtype) -> int:
    """Return the batch size at which the image encoder is fast on this device.

    On a CPU it is fixed, as one image occupies all cores and a larger batch only needs more memory; so it is for a
    method that encodes images itself. Else it is measured on blank images: see `best_batch`.
    """
    if backbone.device.type == "cpu" or taps.own_encoding:
        return BATCH[backbone.device.type]

    def rate(count: int) -> float:
        blank = torch.zeros(count, 3, backbone.image_size, backbone.image_size, device=backbone.device)

        def encode() -> None:
            with torch.inference_mode():
                backbone.vision(blank, taps, precision)
            wait_for(backbone.device)

        encode()  # the first call with a new shape also selects kernels
        return count / min(seconds_of(encode) for _ in range(2))

    return best_batch(rate, BATCH["cuda"])


def best_batch(rate: Callable[[int], float], first: int) -> int:
    """Double the batch size from `first` while it pays; where memory is short for `first`, halve it until it fits.

    Args:
        rate: measures images per second at a batch size.
        first: the batch size to start with.

    Returns:
        At least 1, also where not even one image fits: every class then fails on its own, out of memory.

    Raises:
        RuntimeError: the measurement fails for another reason than a shortage of memory.
    """
    size, best = first, _rate_if_it_fits(rate, first)
    while best is None and size > 1:
        size //= 2
        best = _rate_if_it_fits(rate, size)
    if best is None:
        return 1
    while size >= first and 2 * size <= MAX_BATCH:
        doubled = _rate_if_it_fits(rate, 2 * size)
        if doubled is None or doubled < MIN_SPEEDUP * best:
            break
        size, best = 2 * size, doubled
    return size


def _rate_if_it_fits(rate: Callable[[int], float], count: int) -> float | None:
    """Measure images per second at one batch size; None where memory is short."""
    try:
        return rate(count)
    except (RuntimeError, MemoryError) as failure:
        if not is_shortage(failure):
            raise
    release_cached_memory()
    return None


class Halving:
    """Process a batch as a whole, or in halves where memory is short; the size that fits is remembered."""

    def __init__(self) -> None:
        self.largest: int | None = None  # None until memory was short

    def __call__(self, call: Callable[[slice], T], count: int) -> list[T]:
        """Return the results of `call` on consecutive slices that cover `count` rows.

        Raises:
            RuntimeError, MemoryError: memory is short for a single row, or the call failed for another reason.
        """
        results: list[T] = []
        start = 0
        while start < count:
            size = min(self.largest or count, count - start)
            result = self._call_if_it_fits(call, slice(start, start + size), size)
            if result is None:
                self.largest = size // 2
                log.warning("memory is short for %d images at a time; going on with %d", size, self.largest)
            else:
                results.append(result[0])
                start += size
        return results

    @staticmethod
    def _call_if_it_fits(call: Callable[[slice], T], rows: slice, size: int) -> tuple[T] | None:
        """Return the result in a tuple, or None where memory is short for more than one row."""
        try:
            return (call(rows),)
        except (RuntimeError, MemoryError) as failure:
            if size == 1 or not is_shortage(failure):
                raise
        release_cached_memory()  # not in the handler, where the failed call's tensors are still referenced
        return None


def release_cached_memory() -> None:
    """Give the unused blocks of PyTorch's CUDA allocator back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
