"""The Pareto front of methods over accuracy, time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Point(NamedTuple):
    """One method: accuracy in percent, milliseconds per image, memory in MiB (None: unknown), whether comparable."""

    name: str
    accuracy: float
    milliseconds: float
    memory: float | None = None
    comparable: bool = True


def front(points: Sequence[Point]) -> list[Point]:
    """The comparable points that no other comparable point dominates, fastest first.

    A point dominates another when it is at least as good in accuracy, time and memory, and better in one of them.
    Memory counts where both points have it.

    >>> fast, slow = Point("fast", 80, 10, 900), Point("slow", 90, 50, 700)
    >>> worse = Point("worse", 79, 20, 950)
    >>> [point.name for point in front([worse, slow, fast])]
    ['fast', 'slow']
    """
    rivals = [point for point in points if point.comparable]
    kept = [point for point in rivals if not any(_dominates(other, point) for other in rivals)]
    return sorted(kept, key=lambda point: (point.milliseconds, -point.accuracy))


def _dominates(point: Point, other: Point) -> bool:
    gains = [point.accuracy - other.accuracy, other.milliseconds - point.milliseconds]
    if point.memory is not None and other.memory is not None:
        gains.append(other.memory - point.memory)
    return min(gains) >= 0 and max(gains) > 0
