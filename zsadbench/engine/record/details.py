"""Add the details of a class (parts, curves, intervals, regions) to the sidecars of its record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from zsadbench.metrics.details import DRAWS, LEVEL, SEED
from zsadbench.metrics.overlaps import RATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zsadbench.metrics import Details, Estimate
    from zsadbench.metrics.subsets import Part
    from zsadbench.records.sidecars import Arrays, Sidecars

T = TypeVar("T")

COLUMNS = ["path", "class", "defect", "view", "area", "area_share", "border", *(f"overlap@{rate}" for rate in RATES)]


def with_details(
    sidecars: Sidecars, class_name: str, details: Details, rows: pd.DataFrame, pooled: Arrays | None = None
) -> Sidecars:
    """Return new sidecars with the details of one class, which replace older ones of that class.

    Args:
        sidecars: of the record so far.
        class_name: the class.
        details: its details.
        rows: a manifest with the images of the class.
        pooled: pixel counts of the class; empty or None where no metric over all classes is computed.
    """
    regions, before = _regions(details, class_name, rows), sidecars.regions
    if before is not None:
        regions = pd.concat([before[before["class"] != class_name], regions], ignore_index=True)
    return replace(
        sidecars,
        details={**sidecars.details, class_name: _as_json(details)},
        regions=regions,
        spread={**sidecars.spread, class_name: details.spread},
        pooled={**sidecars.pooled, class_name: pooled} if pooled else sidecars.pooled,
    )


def in_order(sidecars: Sidecars, classes: Sequence[str]) -> Sidecars:
    """Return the same sidecars with their classes in this order, whichever was finished first."""
    regions = sidecars.regions
    return replace(
        sidecars,
        details=_sorted(sidecars.details, classes),
        regions=None if regions is None else rows_in_order(regions, classes),
        spread=_sorted(sidecars.spread, classes),
        pooled=_sorted(sidecars.pooled, classes),
    )


def rows_in_order(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return a table with its rows in this order of their classes, and as they were within a class."""
    place = {name: number for number, name in enumerate(classes)}
    return table.sort_values("class", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def _sorted(by_class: dict[str, T], classes: Sequence[str]) -> dict[str, T]:
    return {name: by_class[name] for name in classes if name in by_class}


def _as_json(details: Details) -> dict[str, Any]:
    """Return the entry of one class in the sidecar of details."""
    return {
        "parts": {name: _part(part) for name, part in details.parts.items()},
        "curves": details.curves,
        "intervals": {key: list(pair) for key, pair in details.intervals.items()},
        "span_200": {limit: span._asdict() if span else None for limit, span in details.spans.items()},
        "interval_settings": {"level": LEVEL, "resamples": DRAWS, "unit": "image", "seed": SEED},
    }


def _part(part: Part) -> dict[str, Any]:
    """Return the entry of one part of a class, such as one kind of defect."""
    estimates = part.estimates.items()
    return {
        "images": part.images,
        "prevalence": part.prevalence,
        "metrics": {key: estimate.value for key, estimate in estimates},
        "bounds": bounds_of(part.estimates),
        "undefined": {key: estimate.reason for key, estimate in estimates if estimate.value is None},
    }


def bounds_of(estimates: Mapping[str, Estimate]) -> dict[str, list[float]]:
    """Return lower and upper bound of every estimate that is not exact."""
    return {
        key: [estimate.lower, estimate.upper]
        for key, estimate in estimates.items()
        if estimate.lower is not None and estimate.upper is not None and estimate.lower != estimate.upper
    }


def _regions(details: Details, class_name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table of regions, one row per region."""
    by_path = rows.set_index("relative")
    defects, views = by_path["defect"], by_path["view"]
    table = [
        (region.image, class_name, defects[region.image], views[region.image], *region[1:-1], *region.overlaps)
        for region in details.regions
    ]
    return pd.DataFrame(table, columns=COLUMNS)
