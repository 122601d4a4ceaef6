"""Which images of a section are shown: the worst of each order, at most `SHOWN` an order, shared evenly between runs.

- false positives: normal images, by the share of the anomalous images of their class that score less;
- misses: anomalous images, by the share of the normal images of their class that score more;
- missed area: anomalous images, by the share of the defect at or below the level that 1 % of normal pixels exceed;
- each pattern of failure, by how strongly it shows;
- disagreement: the difference of these shares between the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zsadbench.compare.failures.patterns import DIFFUSE, GLOW, MISSED, Measures

SHOWN, LEAST = 60, 10


@dataclass(frozen=True)
class Finding:
    """One method on one image: its score, how wrong that is (None where no image has the other label), its map."""

    score: float
    error: float | None
    measures: Measures

    @property
    def wrong(self) -> float | None:
        """How wrong it is by its score or, where that says nothing, by the area that it misses."""
        return self.error if self.error is not None else self.measures.missed


Row = dict[str, Any]
Found = Mapping[str, Mapping[str, Finding]]  # by entry, then by path


@dataclass(frozen=True)
class Order:
    """Images of `label` by `key`, largest first; None leaves an image out."""

    label: int
    key: Callable[[Finding], tuple[float, ...] | None]


def orders_of(*kinds: str) -> Iterator[Order]:
    """The orders of `error`, which need scores alone, and of `area`, which need what was measured on maps."""
    if "error" in kinds:
        yield Order(0, lambda one: None if one.error is None else (one.error, one.score))
        yield Order(1, lambda one: None if one.error is None else (one.error, -one.score))
    if "area" in kinds:
        yield Order(1, lambda one: None if one.measures.missed is None else (one.measures.missed,))
        yield Order(0, lambda one: (one.measures.glow or 0.0,) if GLOW in one.measures.tags else None)
        yield Order(1, lambda one: (one.measures.spread or 0.0,) if DIFFUSE in one.measures.tags else None)
        yield Order(1, lambda one: (one.measures.missed or 0.0,) if MISSED in one.measures.tags else None)


def worst(order: Order, rows: Mapping[str, Row], found: Found) -> Iterator[str]:
    """The first images of an order for every run, all runs together at most `SHOWN` of them, each at least `LEAST`."""
    share = max(LEAST, SHOWN // len(found))
    for own in found.values():
        keys = {path: order.key(one) for path, one in own.items() if rows[path]["label"] == order.label}
        ranked = sorted((path for path in keys if keys[path] is not None), key=lambda path: (keys[path], path))
        yield from ranked[::-1][:share]


def disagreed(rows: Mapping[str, Row], found: Found) -> list[str]:
    """The images on which the runs differ most in how wrong they are."""
    gaps: dict[str, float] = {}
    for path in rows:
        wrong = [own[path].wrong for own in found.values() if path in own]
        known = [one for one in wrong if one is not None]
        if len(known) > 1 and max(known) > min(known):
            gaps[path] = max(known) - min(known)
    return sorted(gaps, key=lambda path: (-gaps[path], path))[:SHOWN]
