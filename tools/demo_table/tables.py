"""The tables of the page, and the comparison with the targets that were set before the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from demo_table.halves import PARTS

HEADINGS = {"pixel_auroc": "pixel AUROC", "pixel_aupro": "AUPRO", "image_auroc": "image AUROC"}
Numbers = Mapping[str, Mapping[str, float]]  # part → metric → value
GAIN = 0.05  # target: the gain of `fbclip` over `clip` on seen kinds


class Table(NamedTuple):
    """A table of text; the first column holds the names of the rows."""

    header: list[str]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float]) -> str:
    """Format values as percent: one value, or the mean of several with the smallest and the largest."""
    shown = f"{100 * fmean(values):.1f}"
    return shown if len(values) == 1 else f"{shown} ({100 * min(values):.1f}–{100 * max(values):.1f})"


def controls(rows: Mapping[str, Sequence[Numbers]], metric: str) -> Table:
    """Make the table of one metric: a row per run, columns for all, seen and unseen kinds of defect."""
    parts = [part for part in PARTS if part in next(iter(rows.values()))[0]]
    cells = [
        (label, *(spread([numbers[part][metric] for numbers in seeds]) for part in parts))
        for label, seeds in rows.items()
    ]
    return Table([HEADINGS[metric], *(f"{part} kinds" for part in parts)], cells)


def by_kind(rows: Mapping[str, Mapping[str, Sequence[float]]], kinds: Sequence[str], seen: bool) -> Table:
    """Make the table of pixel AUROC per kind of defect, for the seen or the unseen kinds."""
    cells = [(label, *(spread(row[kind]) for kind in kinds)) for label, row in rows.items()]
    return Table([f"kinds {'seen' if seen else 'not seen'} in demo-aux", *kinds], cells)


def gains(rows: Mapping[str, Sequence[Numbers]], baseline: str, methods: Sequence[str]) -> Table:
    """Make the table of differences to the baseline on all kinds of defect, in points: the mean, and each seed."""
    (base,) = rows[baseline]
    cells = []
    for method in methods:
        differences = [[seed["all"][metric] - base["all"][metric] for seed in rows[method]] for metric in HEADINGS]
        cells.append((method, *(_difference(values) for values in differences)))
    return Table(["method", *HEADINGS.values()], cells)


def _difference(values: Sequence[float]) -> str:
    """Format differences in points: the mean, and each seed if there are several."""
    shown = f"{100 * fmean(values):+.1f}"
    return shown if len(values) == 1 else f"{shown} ({_points(values)})"


def held_out(rows: Sequence[Mapping[str, Any]], recipes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make the table of pixel AUROC on held-out classes of `demo-aux`, by learning rate and epoch; recipes are bold."""
    epochs = range(1, 1 + max((row.get("epochs", 1) for row in rows), default=1))
    cells_by_label: dict[str, dict[int, str]] = {}
    for row in rows:
        epoch, recipe = row.get("epochs", 1), recipes.get(row["method"])
        is_recipe = recipe is not None and all(row[name] == recipe[name] for name in ("lr", "batch", "epochs"))
        percent = f"{100 * row['pixel_auroc']:.1f}"
        label = f"{row['method']}, learning rate {row['lr']:g}" if "lr" in row else row["method"]
        cells_by_label.setdefault(label, {})[epoch] = f"**{percent}**" if is_recipe else percent
    header = ["pixel AUROC, classes held out", *(f"{epoch} epoch{'s' if epoch > 1 else ''}" for epoch in epochs)]
    return Table(
        header, [(label, *(cells.get(epoch, "") for epoch in epochs)) for label, cells in cells_by_label.items()]
    )


def verdicts(rows: Mapping[str, Sequence[Numbers]]) -> list[str]:
    """Compare the results with the targets: one line per target, with the numbers."""
    (baseline,), results = rows["clip"], rows["fbclip"]
    auroc = baseline["all"]["pixel_auroc"]
    lines = [_line(0.55 <= auroc <= 0.90, f"`clip` has {100 * auroc:.1f} pixel AUROC; target: 55 to 90")]
    for metric in ("pixel_auroc", "pixel_aupro"):
        gains = [seed["seen"][metric] - baseline["seen"][metric] for seed in results]
        what = f"gain of `fbclip` over `clip` in {HEADINGS[metric]} on"
        lines.append(_line(min(gains) >= GAIN, f"{what} seen kinds: {_points(gains)}; target: 5.0 with every seed"))
        if "unseen" not in baseline:
            continue
        gains = [seed["unseen"][metric] - baseline["unseen"][metric] for seed in results]
        lines.append(_line(min(gains) >= 0, f"{what} unseen kinds: {_points(gains)}; target: not negative"))
    lines += [_control_line(rows, label) for label in rows if label.startswith("fbclip, ")]
    return lines


def _control_line(rows: Mapping[str, Sequence[Numbers]], label: str) -> str:
    """Compare the gain of a control on seen kinds with that of `fbclip`, for each seed."""
    (baseline,), metric = rows["clip"], "pixel_auroc"
    base = baseline["seen"][metric]
    pairs = list(zip(rows["fbclip"], rows[label], strict=True))
    text = f"`{label}` keeps of the gain in pixel AUROC on seen kinds: {{}}; target: at most half"
    if any(result["seen"][metric] <= base for result, _ in pairs):
        return _line(False, text.format("`fbclip` has no gain with some seed"))
    kept = [(control["seen"][metric] - base) / (result["seen"][metric] - base) for result, control in pairs]
    return _line(max(kept) <= 0.5, text.format(", ".join(f"{100 * fraction:.0f} %" for fraction in kept)))


def _points(gains: Sequence[float]) -> str:
    return ", ".join(f"{100 * gain:+.1f}" for gain in gains)


def _line(met: bool, text: str) -> str:
    return f"- {'met' if met else '**missed**'}: {text}."
