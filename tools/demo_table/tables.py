"""The tables, and what they say about the goals that were set beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from demo_table.halves import PARTS

HEADINGS = {"pixel_auroc": "pixel AUROC", "pixel_aupro": "AUPRO", "image_auroc": "image AUROC"}
Numbers = Mapping[str, Mapping[str, float]]  # part → metric → value
GAIN = 0.05


class Table(NamedTuple):
    """Cells of text; the first column names the row."""

    header: list[str]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float]) -> str:
    """A percentage; of several the mean with the smallest and the largest."""
    shown = f"{100 * fmean(values):.1f}"
    return shown if len(values) == 1 else f"{shown} ({100 * min(values):.1f}–{100 * max(values):.1f})"


def controls(rows: Mapping[str, Sequence[Numbers]], metric: str) -> Table:
    """Every row of the comparison by one metric: all kinds, those that occur in `demo-aux`, those that do not."""
    parts = [part for part in PARTS if part in next(iter(rows.values()))[0]]
    cells = [
        (label, *(spread([numbers[part][metric] for numbers in seeds]) for part in parts))
        for label, seeds in rows.items()
    ]
    return Table([HEADINGS[metric], *(f"{part} kinds" for part in parts)], cells)


def by_kind(rows: Mapping[str, Mapping[str, Sequence[float]]], kinds: Sequence[str], seen: bool) -> Table:
    """Pixel AUROC by kind of defect, of one of the two halves."""
    cells = [(label, *(spread(row[kind]) for kind in kinds)) for label, row in rows.items()]
    return Table([f"kinds {'seen' if seen else 'not seen'} in demo-aux", *kinds], cells)


def gains(rows: Mapping[str, Sequence[Numbers]], floor: str, methods: Sequence[str]) -> Table:
    """How far each method lies above the floor, or below, on all kinds: points, seed by seed, and their mean."""
    (base,) = rows[floor]
    cells = []
    for method in methods:
        differences = [[one["all"][metric] - base["all"][metric] for one in rows[method]] for metric in HEADINGS]
        cells.append((method, *(_difference(values) for values in differences)))
    return Table(["method", *HEADINGS.values()], cells)


def _difference(values: Sequence[float]) -> str:
    """The mean in points; of several seeds each one's as well."""
    shown = f"{100 * fmean(values):+.1f}"
    return shown if len(values) == 1 else f"{shown} ({_points(values)})"


def held_out(rows: Sequence[Mapping[str, Any]], recipes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Pixel AUROC on classes held out of `demo-aux`, by learning rate and epoch; what a recipe takes is set in bold."""
    lasts = range(1, 1 + max((row.get("epochs", 1) for row in rows), default=1))
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        epoch, taken = row.get("epochs", 1), recipes.get(row["method"])
        chosen = taken is not None and all(row[name] == taken[name] for name in ("lr", "batch", "epochs"))
        shown = f"{100 * row['pixel_auroc']:.1f}"
        label = f"{row['method']}, learning rate {row['lr']:g}" if "lr" in row else row["method"]
        found.setdefault(label, {})[epoch] = f"**{shown}**" if chosen else shown
    header = ["pixel AUROC, classes held out", *(f"{last} epoch{'s' if last > 1 else ''}" for last in lasts)]
    return Table(header, [(label, *(cells.get(last, "") for last in lasts)) for label, cells in found.items()])


def verdicts(rows: Mapping[str, Sequence[Numbers]]) -> list[str]:
    """What was asked for beforehand, and whether it came out: a line each, with the figures."""
    (floor,), result = rows["clip"], rows["fbclip"]
    auroc = floor["all"]["pixel_auroc"]
    lines = [_line(0.55 <= auroc <= 0.90, f"`clip` has {100 * auroc:.1f} pixel AUROC; asked: 55 to 90")]
    for metric in ("pixel_auroc", "pixel_aupro"):
        gains = [one["seen"][metric] - floor["seen"][metric] for one in result]
        text = f"{HEADINGS[metric]} of `fbclip` above `clip` on kinds seen: {_points(gains)}; asked: 5.0 in every seed"
        lines.append(_line(min(gains) >= GAIN, text))
        if "unseen" not in floor:
            continue
        gains = [one["unseen"][metric] - floor["unseen"][metric] for one in result]
        text = f"{HEADINGS[metric]} of `fbclip` above `clip` on kinds not seen: {_points(gains)}; asked: not below"
        lines.append(_line(min(gains) >= 0, text))
    for label in rows:
        if label.startswith("fbclip, "):
            lines.append(_lost(rows, label))
    return lines


def _lost(rows: Mapping[str, Sequence[Numbers]], label: str) -> str:
    """How much of the gain on seen kinds a control loses, seed by seed."""
    (floor,), metric = rows["clip"], "pixel_auroc"
    base = floor["seen"][metric]
    pairs = list(zip(rows["fbclip"], rows[label], strict=True))
    text = f"`{label}` keeps of that gain in pixel AUROC: {{}}; asked: at most half"
    if any(one["seen"][metric] <= base for one, _ in pairs):
        return _line(False, text.format("no gain to keep in some seed"))
    kept = [(control["seen"][metric] - base) / (one["seen"][metric] - base) for one, control in pairs]
    return _line(max(kept) <= 0.5, text.format(", ".join(f"{100 * part:.0f} %" for part in kept)))


def _points(gains: Sequence[float]) -> str:
    return ", ".join(f"{100 * gain:+.1f}" for gain in gains)


def _line(reached: bool, text: str) -> str:
    return f"- {'reached' if reached else '**missed**'}: {text}."
