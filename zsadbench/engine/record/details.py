"""The details of a class on their way into the files beside its record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.metrics.details import DRAWS, LEVEL, SEED
from zsadbench.metrics.overlaps import RATES

if TYPE_CHECKING:
    from zsadbench.metrics import Details, Estimate
    from zsadbench.metrics.subsets import Part
    from zsadbench.records.sidecars import Arrays, Sidecars

COLUMNS = ["path", "class", "defect", "view", "area", "area_share", "border", *(f"overlap@{rate}" for rate in RATES)]


def with_class(
    beside: Sidecars, class_name: str, details: Details, rows: pd.DataFrame, pooled: Arrays | None = None
) -> Sidecars:
    """What lies beside a record, with the details of one class in place of older ones; the given one stays as it is.

    `rows` is a manifest with the images of the class; `pooled` is empty where nothing was asked for over all classes.
    """
    regions, old = _regions(details, class_name, rows), beside.regions
    if old is not None:
        regions = pd.concat([old[old["class"] != class_name], regions], ignore_index=True)
    return replace(
        beside,
        details={**beside.details, class_name: _as_json(details)},
        regions=regions,
        spread={**beside.spread, class_name: details.spread},
        pooled={**beside.pooled, class_name: pooled} if pooled else beside.pooled,
    )


def _as_json(details: Details) -> dict[str, Any]:
    return {
        "parts": {name: _part(part) for name, part in details.parts.items()},
        "curves": details.curves,
        "intervals": {key: list(pair) for key, pair in details.intervals.items()},
        "span_200": {limit: span._asdict() if span else None for limit, span in details.spans.items()},
        "interval_settings": {"level": LEVEL, "resamples": DRAWS, "unit": "image", "seed": SEED},
    }


def _part(part: Part) -> dict[str, Any]:
    found = part.estimates.items()
    return {
        "images": part.images,
        "prevalence": part.prevalence,
        "metrics": {key: one.value for key, one in found},
        "bounds": bounds_of(part.estimates),
        "undefined": {key: one.reason for key, one in found if one.value is None},
    }


def bounds_of(estimates: dict[str, Estimate]) -> dict[str, list[float]]:
    """The bounds of what is not known exactly."""
    return {
        key: [one.lower, one.upper]
        for key, one in estimates.items()
        if one.lower is not None and one.upper is not None and one.lower != one.upper
    }


def _regions(details: Details, class_name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """One row a region."""
    known = rows.set_index("relative")
    found = [
        (one.image, class_name, known["defect"][one.image], known["view"][one.image], *one[1:-1], *one.overlaps)
        for one in details.regions
    ]
    return pd.DataFrame(found, columns=COLUMNS)
