"""The images that a section shows: the first of each order, at most `SHOWN` per order, shared evenly between methods.

- false positives: normal images, by the share of the anomalous images of their class that have lower scores;
- misses: anomalous images, by the share of the normal images of their class that have higher scores; in both orders
  images with equal scores, such as those of a saturated score, are ordered by the maximum of their map;
- missed area: anomalous images, by the share of the defect that is not above what 1 % of normal pixels exceed;
- each pattern of failure, by its strength;
- disagreement: the difference of these shares between methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from zsadbench.compare.failures.examples import ImageInfo, ImageResult, Results
from zsadbench.compare.failures.patterns import DIFFUSE, GLOW, MISSED

SHOWN, LEAST = 60, 10  # images per order: of all methods together, and at least of each


@dataclass(frozen=True)
class Order:
    """Images of `label` sorted by `key`, largest first; an image whose key is None is left out."""

    label: int
    key: Callable[[ImageResult], tuple[float, ...] | None]


BY_SCORE = (
    Order(0, lambda result: None if result.error is None else (result.error, result.score, result.peak or 0.0)),
    Order(1, lambda result: None if result.error is None else (result.error, -result.score, -(result.peak or 0.0))),
)
BY_MAP = (
    Order(1, lambda result: None if result.measures.missed is None else (result.measures.missed,)),
    Order(0, lambda result: (result.measures.glow or 0.0,) if GLOW in result.measures.tags else None),
    Order(1, lambda result: (result.measures.spread or 0.0,) if DIFFUSE in result.measures.tags else None),
    Order(1, lambda result: (result.measures.missed or 0.0,) if MISSED in result.measures.tags else None),
)


def first_images(order: Order, infos: Mapping[str, ImageInfo], results: Results) -> Iterator[str]:
    """The paths of the first images of an order for every method.

    All methods together get `SHOWN` images, each of them at least `LEAST`.
    """
    share = max(LEAST, SHOWN // len(results))
    for by_path in results.values():
        keys = {path: order.key(result) for path, result in by_path.items() if infos[path].label == order.label}
        ranked = sorted((path for path in keys if keys[path] is not None), key=lambda path: (keys[path], path))
        yield from ranked[::-1][:share]


def disagreements(paths: Iterable[str], results: Results) -> list[str]:
    """The paths of the `SHOWN` images on which the methods differ most in how wrong they are."""
    gaps: dict[str, float] = {}
    for path in paths:
        failures = [by_path[path].failure for by_path in results.values() if path in by_path]
        known = [failure for failure in failures if failure is not None]
        if len(known) > 1 and max(known) > min(known):
            gaps[path] = max(known) - min(known)
    return sorted(gaps, key=lambda path: (-gaps[path], path))[:SHOWN]
