"""The part of the false positive rates that the 200 thresholds cover, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.metrics.variants import Span

NARROWEST = "what the 200 thresholds see (least class)"


def narrowest(spans: Sequence[tuple[Span | None, str]]) -> str:
    """Return the smallest span over the classes with the name of its class; or a class that has none."""
    if any(span is None for span, _ in spans):
        return f"none ({next(name for span, name in spans if span is None)})"
    span, name = min(((span, name) for span, name in spans if span), key=lambda pair: pair[0].greatest - pair[0].least)
    return f"{percent(span.least)}–{percent(span.greatest)}, {span.kept} of {span.thresholds} ({name})"


def percent(value: float | None) -> str:
    """Format a fraction as percent with one decimal, without a percent sign."""
    return "-" if value is None else f"{100 * value:.1f}"


def span_remarks(record: Path, metrics: Sequence[str]) -> list[str]:
    """Return one line per limit of the 200-threshold variants among `metrics`, the names of additional metrics."""
    from zsadbench.metrics.names import parse_metric, spell_limit
    from zsadbench.metrics.pro200 import VARIANTS
    from zsadbench.records.sidecars import read_details

    names = map(parse_metric, metrics)
    limits = dict.fromkeys(name.limit for name in names if name.kind in VARIANTS and name.limit is not None)
    details = read_details(record) if limits else None
    lines: list[str] = []
    for limit in limits:
        spans = _spans(details["classes"] if details else {}, spell_limit(limit))
        if spans:
            lines.append(f"{NARROWEST}, rates 0–{percent(limit)}: {narrowest(spans)}")
    return lines


def _spans(classes: Mapping[str, Mapping[str, Any]], limit: str) -> list[tuple[Span | None, str]]:
    """Return the spans of the classes in which they are known."""
    from zsadbench.metrics.variants import Span

    known = {name: row["span_200"][limit] for name, row in classes.items() if limit in row.get("span_200", {})}
    return [(Span(**span) if span else None, name) for name, span in known.items()]
