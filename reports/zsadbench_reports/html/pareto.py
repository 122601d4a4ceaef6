"""Which of several things no other thing beats: at least as good in everything, better in something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Point(NamedTuple):
    """One method: accuracy in percent, milliseconds an image, memory in MiB where known; may it be compared?"""

    name: str
    accuracy: float
    milliseconds: float
    memory: float | None = None
    comparable: bool = True


def front(points: Sequence[Point]) -> list[Point]:
    """The comparable points that none beats in accuracy, time and memory, fastest first.

    Memory counts where both points have it.

    >>> fast, slow = Point("fast", 80, 10, 900), Point("slow", 90, 50, 700)
    >>> worse = Point("worse", 79, 20, 950)
    >>> [point.name for point in front([worse, slow, fast])]
    ['fast', 'slow']
    """
    rivals = [point for point in points if point.comparable]
    kept = [point for point in rivals if not any(_beats(other, point) for other in rivals)]
    return sorted(kept, key=lambda point: (point.milliseconds, -point.accuracy))


def _beats(one: Point, other: Point) -> bool:
    gains = [one.accuracy - other.accuracy, other.milliseconds - one.milliseconds]
    if one.memory is not None and other.memory is not None:
        gains.append(other.memory - one.memory)
    return min(gains) >= 0 and max(gains) > 0
