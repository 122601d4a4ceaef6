"""Clocks that can be believed: warmed up until stable, the device waited for, whole calls and not their average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

import numpy as np

from zsadbench.engine.machine.timing import Call, seconds_of

ALIKE = 3  # calls in a row that must take about as long for a warm-up to end
WITHIN = 0.05  # about as long: the slowest of them against the fastest
WARM_CALLS, WARM_SECONDS = 20, 30.0
LEAST, MOST, SECONDS = 5, 100, 10.0  # rounds that are timed: at least, at most, and for how long between


class WarmUp(NamedTuple):
    """Calls that were not counted, and whether the last of them took about as long as each other."""

    calls: int
    stable: bool


class Percentiles(NamedTuple):
    """Milliseconds of the calls that were timed; interpolated between neighbours where there are few."""

    median: float
    p90: float
    p99: float


def warm_up(call: Call, clock: Callable[[Call], float] = seconds_of) -> WarmUp:
    """Call until it takes the same time again and again, 20 times or 30 seconds at most."""
    taken: list[float] = []
    while len(taken) < WARM_CALLS and (len(taken) < ALIKE or sum(taken) < WARM_SECONDS):
        taken.append(clock(call))
        if len(taken) >= ALIKE and max(taken[-ALIKE:]) <= (1 + WITHIN) * min(taken[-ALIKE:]):
            return WarmUp(len(taken), stable=True)
    return WarmUp(len(taken), stable=False)


class Rounds:
    """How often to go round: as asked, else five times at least, then for ten seconds or a hundred times at most."""

    def __init__(self, asked: int | None) -> None:
        self.asked = asked
        self.done = 0
        self.spent = 0.0

    def __iter__(self) -> Iterator[int]:
        while self.done < (self.asked or MOST):
            if self.asked is None and self.done >= LEAST and self.spent >= SECONDS:
                return
            with self._timed():
                yield self.done

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = perf_counter()
        yield
        self.done += 1
        self.spent += perf_counter() - start


def percentiles(seconds: Sequence[float]) -> Percentiles:
    """Median, 90th and 99th percentile, milliseconds.

    >>> percentiles([0.001, 0.002, 0.003])
    Percentiles(median=2.0, p90=2.8, p99=2.98)
    """
    found = 1000 * np.percentile(np.asarray(seconds, dtype=np.float64), [50, 90, 99])
    return Percentiles(*(float(one) for one in np.round(found, 6)))
