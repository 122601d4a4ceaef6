"""What a run costs: seconds a stage, each by the clock of who does the work, and peak memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

STAGES = ("load", "tower", "head", "map", "metrics")
ON_DEVICE = frozenset({"tower", "head", "map"})


class Span:
    """How long a block took; on a device, which works on while the host goes ahead, what it did between two marks."""

    def __init__(self, device: torch.device | None) -> None:
        asynchronous = device is not None and device.type == "cuda"
        self._mark: Callable[[], Any] = partial(_marked, device) if asynchronous else perf_counter
        self._start: Any = self._mark()
        self._stop: Any = self._start

    def stop(self) -> None:
        """The block is over."""
        self._stop = self._mark()

    @property
    def seconds(self) -> float:
        """Waits for the device to have come to the end of the block, and for no longer."""
        if isinstance(self._start, float):
            return float(self._stop) - self._start
        self._stop.synchronize()
        return float(self._start.elapsed_time(self._stop)) / 1000


def _marked(device: torch.device | None) -> Any:
    """A mark in what the device has been given to do."""
    import torch

    mark = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    mark.record(torch.cuda.current_stream(device))
    return mark


class Stopwatch:
    """Seconds by stage; nothing waits for it: stages on the device are timed by its clock, the others by the host's.

    Where batches overlap, the stages of a run may add up to more than it took.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._spans: dict[str, list[Span]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Span]:
        """Add the time of the block to the stage `name`."""
        span = Span(self.device if name in ON_DEVICE else None)
        yield span
        span.stop()
        self._spans[name].append(span)

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, 0 for a stage that was not entered; waits for the device."""
        found = {name: sum(span.seconds for span in spans) for name, spans in self._spans.items()}
        return defaultdict(float, found)


def wait_for(device: torch.device) -> None:
    """Return once the device has done all that it was given: it works on while the host goes ahead."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


Call = Callable[[], object]


def seconds_of(call: Call) -> float:
    """How long one call takes; it has to wait for the device itself."""
    start = perf_counter()
    call()
    return perf_counter() - start
