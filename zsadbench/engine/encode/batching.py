"""How many images at a time: as many as pay, and fewer where memory is short."""

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

MOST = 256  # images at a time that are tried
PAYS = 1.05  # a batch twice as large must give so many times the images a second


def automatic_batch(backbone: Backbone, taps: Taps, precision: torch.dtype) -> int:
    """The batch that the image tower likes best on this device.

    On a CPU it is fixed: one image fills the processor, and a larger batch only takes more memory. On a GPU it doubles
    as long as that gives more images a second.
    """
    if backbone.device.type == "cpu":
        return BATCH["cpu"]

    def rate(count: int) -> float:
        blank = torch.zeros(count, 3, backbone.image_size, backbone.image_size, device=backbone.device)

        def encode() -> None:
            with torch.inference_mode():
                backbone.vision(blank, taps, precision)
            wait_for(backbone.device)

        encode()  # kernels are chosen in the first call of a size
        return count / min(seconds_of(encode) for _ in range(2))

    return best_batch(rate, BATCH["cuda"])


def best_batch(rate: Callable[[int], float], first: int) -> int:
    """Double `first` while `rate`, images a second, grows with it; where memory is short for `first`, halve it.

    Raises:
        RuntimeError: not even one image fits.
    """
    size, best = first, _rate(rate, first)
    while best is None and size > 1:
        size //= 2
        best = _rate(rate, size)
    if best is None:
        rate(1)  # raises what is wrong
        return 1
    while size >= first and 2 * size <= MOST:
        faster = _rate(rate, 2 * size)
        if faster is None or faster < PAYS * best:
            break
        size, best = 2 * size, faster
    return size


def _rate(rate: Callable[[int], float], count: int) -> float | None:
    """Images a second, None where memory is short."""
    try:
        return rate(count)
    except (RuntimeError, MemoryError) as failure:
        if not is_shortage(failure):
            raise
    release_stock()
    return None


class Halving:
    """Does a batch as a whole, or where memory is short in parts half as large, and remembers which size went well."""

    def __init__(self) -> None:
        self.most: int | None = None

    def __call__(self, call: Callable[[slice], T], count: int) -> list[T]:
        """The results of `call` on consecutive rows, `count` in all.

        Raises:
            RuntimeError, MemoryError: memory is short for a single row, or something else is wrong.
        """
        done: list[T] = []
        at = 0
        while at < count:
            size = min(self.most or count, count - at)
            found = self._tried(call, slice(at, at + size), size)
            if found is None:
                self.most = size // 2
                log.warning("memory is short for %d images at a time; going on with %d", size, self.most)
            else:
                done.append(found[0])
                at += size
        return done

    @staticmethod
    def _tried(call: Callable[[slice], T], rows: slice, size: int) -> tuple[T] | None:
        """The result, or None where memory is short and fewer rows may do."""
        try:
            return (call(rows),)
        except (RuntimeError, MemoryError) as failure:
            if size == 1 or not is_shortage(failure):
                raise
        release_stock()  # out of the handler: what failed still held its tensors there
        return None


def release_stock() -> None:
    """Let the allocator of the GPU give back what it holds in stock."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
