"""Timing: warm-up until the times are stable, the number of rounds, and percentiles of whole calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from zsadbench.engine.machine.timing import Call, seconds_of

STABLE_CALLS = 3  # a warm-up ends when so many calls in a row take about as long
STABLE_WITHIN = 0.05  # about as long: the slowest of them is at most 5 % slower than the fastest
MAX_WARM_UP_CALLS, MAX_WARM_UP_SECONDS = 20, 30.0
MIN_ROUNDS, MAX_ROUNDS, ROUNDS_SECONDS = 5, 100, 10.0


class WarmUp(NamedTuple):
    """The number of calls before timing, and whether the last of them took about as long as each other."""

    calls: int
    stable: bool


class Percentiles(NamedTuple):
    """Percentiles of the timed calls in ms, interpolated linearly between calls."""

    median: float
    p90: float
    p99: float


def warm_up(call: Call, clock: Callable[[Call], float] = seconds_of) -> WarmUp:
    """Call until three calls in a row take about as long, at most 20 times and for about 30 seconds.

    Args:
        call: what to call.
        clock: returns the seconds of one call.
    """
    seconds: list[float] = []
    while len(seconds) < MAX_WARM_UP_CALLS and (len(seconds) < STABLE_CALLS or sum(seconds) < MAX_WARM_UP_SECONDS):
        seconds.append(clock(call))
        last = seconds[-STABLE_CALLS:]
        if len(seconds) >= STABLE_CALLS and max(last) <= (1 + STABLE_WITHIN) * min(last):
            return WarmUp(len(seconds), stable=True)
    return WarmUp(len(seconds), stable=False)


class Rounds:
    """Iterate over the numbers of the rounds to time, from 0.

    Args:
        count: how many; None for at least 5, and then until 10 seconds or 100 rounds are over.
    """

    def __init__(self, count: int | None) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        seconds = 0.0
        for number in range(self.count or MAX_ROUNDS):
            if self.count is None and number >= MIN_ROUNDS and seconds >= ROUNDS_SECONDS:
                return
            start = perf_counter()
            yield number
            seconds += perf_counter() - start


def percentiles(seconds: Sequence[float]) -> Percentiles:
    """Compute the median, the 90th and the 99th percentile in ms.

    >>> percentiles([0.001, 0.002, 0.003])
    Percentiles(median=2.0, p90=2.8, p99=2.98)
    """
    values = 1000 * np.percentile(np.asarray(seconds, dtype=np.float64), [50, 90, 99])
    return Percentiles(*(float(value) for value in np.round(values, 6)))
