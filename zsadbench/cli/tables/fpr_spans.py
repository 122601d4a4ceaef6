"""What the 200 thresholds see of the false positive rates, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.metrics.variants import Span

NARROWEST = "what the 200 thresholds see (least class)"


def narrowest(spans: Sequence[tuple[Span | None, str]]) -> str:
    """The span of the class, by name, in which it is least; or that one has none."""
    if any(span is None for span, _ in spans):
        return f"none ({next(name for span, name in spans if span is None)})"
    span, name = min(((span, name) for span, name in spans if span), key=lambda one: one[0].greatest - one[0].least)
    return f"{percent(span.least)}–{percent(span.greatest)}, {span.kept} of {span.thresholds} ({name})"


def percent(value: float | None) -> str:
    """A fraction as tables show it, without its sign."""
    return "-" if value is None else f"{100 * value:.1f}"


def span_remarks(record: Path, asked: Sequence[str]) -> list[str]:
    """A line for each limit of the 200-threshold variants among the metrics `asked` for; none where none was."""
    from zsadbench.metrics.names import parse_metric, spell_limit
    from zsadbench.metrics.pro200 import VARIANTS
    from zsadbench.records.sidecars import read_details

    names = map(parse_metric, asked)
    limits = dict.fromkeys(name.limit for name in names if name.kind in VARIANTS and name.limit is not None)
    details = read_details(record) if limits else None
    lines: list[str] = []
    for limit in limits:
        spans = _spans(details["classes"] if details else {}, spell_limit(limit))
        if spans:
            lines.append(f"{NARROWEST}, rates 0–{percent(limit)}: {narrowest(spans)}")
    return lines


def _spans(classes: Mapping[str, Mapping[str, Any]], limit: str) -> list[tuple[Span | None, str]]:
    """The spans of those classes in which they are known."""
    from zsadbench.metrics.variants import Span

    known = {name: one["span_200"][limit] for name, one in classes.items() if limit in one.get("span_200", {})}
    return [(Span(**one) if one else None, name) for name, one in known.items()]
