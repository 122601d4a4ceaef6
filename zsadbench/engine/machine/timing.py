"""Measure the seconds of each stage of a run: work on the device by its clock, without making the host wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from zsadbench.records.stages import FORWARD_STAGES

if TYPE_CHECKING:
    import torch


class Span:
    """The duration of a block of code, from creation to `stop`.

    Args:
        device: where the block's work is done; None for the host. A CUDA device works asynchronously, so the span is
            then the time between two events in its stream, not the time in which the host queued the work.
    """

    def __init__(self, device: torch.device | None) -> None:
        asynchronous = device is not None and device.type == "cuda"
        self._mark: Callable[[], Any] = partial(_record_event, device) if asynchronous else perf_counter
        self._start: Any = self._mark()
        self._stop: Any = self._start

    def stop(self) -> None:
        """End the span."""
        self._stop = self._mark()

    @property
    def seconds(self) -> float:
        """Duration in seconds; waits until the device has finished the block."""
        if isinstance(self._start, float):
            return float(self._stop) - self._start
        self._stop.synchronize()
        return float(self._start.elapsed_time(self._stop)) / 1000


def _record_event(device: torch.device | None) -> Any:
    """Record an event in the current stream of a CUDA device."""
    import torch

    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


class Stopwatch:
    """Adds up seconds by stage: stages on the device are timed by its clock, the others by the host's.

    The host does not wait for the device while stages are timed. Where batches overlap, the stages of a run may add up
    to more than its duration.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._spans: dict[str, list[Span]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Span]:
        """Add the time of the block to the stage `name`."""
        span = Span(self.device if name in FORWARD_STAGES else None)
        yield span
        span.stop()
        self._spans[name].append(span)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, 0 for a stage that was not timed; waits for the device."""
        totals = {name: sum(span.seconds for span in spans) for name, spans in self._spans.items()}
        return defaultdict(float, totals)


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


Call = Callable[[], object]


def seconds_of(call: Call) -> float:
    """Return how many seconds one call takes; the call itself must wait for the device."""
    start = perf_counter()
    call()
    return perf_counter() - start
