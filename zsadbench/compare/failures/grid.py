"""The rows of the qualitative grid: anomalous images chosen by rule, or by hand.

- typical: per class, the image on which the methods are wrong as much as on the median image of the class;
- disagreement: the images on which the methods differ most in how wrong they are;
- missed: the images on which even the best method is most wrong.

How wrong a method is on an image is `ImageResult.failure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zsadbench.compare.failures.examples import ImageInfo, Results
from zsadbench.compare.failures.selection import disagreements

ROWS = 8  # of a data set, per rule
BY_HAND = "by hand"
RULES = {
    "typical": "per class, the anomalous image on which the methods are wrong as much as on the median image",
    "disagreement": "the anomalous images on which the methods differ most",
    "missed": "the anomalous images on which even the best method is most wrong",
}


def grid_rows(infos: Mapping[str, ImageInfo], results: Results) -> dict[str, list[str]]:
    """Rule → paths of at most `ROWS` images on which every method has a result, in the order of the grid."""
    shared = set.intersection(*(set(by_path) for by_path in results.values())) if results else set()
    anomalous = [path for path, info in infos.items() if info.label == 1 and path in shared]
    wrong = {path: _failures(path, results) for path in anomalous}
    known = {path: failures for path, failures in wrong.items() if failures}
    missed = sorted(known, key=lambda path: (-min(known[path]), path))
    different = disagreements(anomalous, results)
    return {"typical": _typical(known, infos), "disagreement": different[:ROWS], "missed": missed[:ROWS]}


def by_hand(wanted: Sequence[str], target: str, infos: Mapping[str, ImageInfo]) -> list[str]:
    """The paths of `target` among `wanted`, which are `TARGET:PATH`, that a method has evaluated."""
    paths = [name.removeprefix(f"{target}:") for name in wanted if name.startswith(f"{target}:")]
    return [path for path in paths if path in infos]


def _failures(path: str, results: Results) -> list[float]:
    failures = [by_path[path].failure for by_path in results.values()]
    return [failure for failure in failures if failure is not None]


def _typical(wrong: Mapping[str, Sequence[float]], infos: Mapping[str, ImageInfo]) -> list[str]:
    """The median image of each class by the mean failure; of many classes `ROWS`, evenly spaced."""
    by_class: dict[str, list[str]] = {}
    for path in wrong:
        by_class.setdefault(infos[path].class_name, []).append(path)
    median = []
    for paths in by_class.values():
        ordered = sorted(paths, key=lambda path: (sum(wrong[path]) / len(wrong[path]), path))
        median.append(ordered[(len(ordered) - 1) // 2])
    step = max(1.0, len(median) / ROWS)
    return [median[int(number * step)] for number in range(min(ROWS, len(median)))]
