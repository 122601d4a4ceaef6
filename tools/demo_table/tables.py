"""The tables of the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from demo_table.halves import METRICS, PARTS
from zsadbench.records import Record

AIM = 0.05  # of every trained method over `clip` and over itself untrained, with every seed
HEADINGS = {"pixel_auroc": "pixel AUROC", "pixel_aupro": "AUPRO", "image_auroc": "image AUROC"}
Numbers = Mapping[str, Mapping[str, float]]  # part → metric → value
Rows = Mapping[str, Sequence[Numbers]]  # label → one per seed


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


def by_class(records: Sequence[Record]) -> Table:
    """Make the table of one method by class, over the seeds of its records, with the mean over classes last."""
    rows = [
        (name, *(spread([_defined(record.classes[name][metric]) for record in records]) for metric in METRICS))
        for name in records[0].expected
    ]
    means = [record.mean()[0] for record in records]
    mean = ("mean", *(spread([_defined(of_seed[metric]) for of_seed in means]) for metric in METRICS))
    return Table(["class", *HEADINGS.values()], [*rows, mean])


def means(records: Mapping[str, Sequence[Record]]) -> Table:
    """Make the table of means over classes: a row per run, a column per metric."""
    rows = [
        (label, *(spread([_defined(record.mean()[0][metric]) for record in of_run]) for metric in METRICS))
        for label, of_run in records.items()
    ]
    return Table(["run", *HEADINGS.values()], rows)


def controls(rows: Rows, metric: str) -> Table:
    """Make the table of one metric: a row per run, columns for all, seen and unseen kinds of defect."""
    cells = [
        (label, *(spread([numbers[part][metric] for numbers in seeds]) for part in PARTS))
        for label, seeds in rows.items()
    ]
    return Table([HEADINGS[metric], *(f"{part} kinds" for part in PARTS)], cells)


def by_kind(rows: Mapping[str, Mapping[str, Sequence[float]]], kinds: Sequence[str], seen: bool) -> Table:
    """Make the table of pixel AUROC per kind of defect, for the seen or the unseen kinds."""
    cells = [(label, *(spread(row[kind]) for kind in kinds)) for label, row in rows.items()]
    return Table([f"kinds {'seen' if seen else 'not seen'} in demo-aux", *kinds], cells)


def gains(rows: Rows, bases: Mapping[str, Sequence[str]]) -> Table:
    """Make the table of differences in points on all kinds of defect: the smallest over seeds, and each seed.

    Args:
        rows: the numbers of every run.
        bases: method → the runs that it is compared with; one without seeds is compared with every seed.
    """
    cells = [
        (method, other, *(_difference(differences(rows, method, other, name)) for name in HEADINGS))
        for method, others in bases.items()
        for other in others
    ]
    return Table(["method", "compared with", *HEADINGS.values()], cells)


def differences(rows: Rows, method: str, other: str, metric: str) -> list[float]:
    """The differences of a method to another run on all kinds of defect, one per seed; fractions."""
    base = rows[other] if len(rows[other]) > 1 else [rows[other][0]] * len(rows[method])
    return [mine["all"][metric] - its["all"][metric] for mine, its in zip(rows[method], base, strict=True)]


def missed(rows: Rows, bases: Mapping[str, Sequence[str]]) -> str:
    """Say which differences in pixel AUROC and AUPRO miss the aim with some seed; `rows` and `bases` as in `gains`."""
    found = []
    for method, others in bases.items():
        for other in others:
            for metric in ("pixel_auroc", "pixel_aupro"):
                least = min(differences(rows, method, other, metric))
                if least < AIM:
                    found.append(f"`{method}` over `{other}` in {HEADINGS[metric]} ({100 * least:+.1f} with one seed)")
    if not found:
        return "The aim is met."
    return f"The aim is missed by {', and by '.join(found)}. Everything else meets it."


def held_out(rows: Sequence[Mapping[str, Any]], recipes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make the table of results on held-out families of `demo-aux`, pixel AUROC / AUPRO, by learning rate and epoch.

    Several seeds give their mean; the chosen recipes are bold. Epoch 0 is the untrained method.
    """
    epochs = range(1 + max((row.get("epochs", 0) for row in rows), default=0))
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for row in rows:
        label = row["method"] if not row.get("epochs") else f"{row['method']}, learning rate {row['lr']:g}"
        found.setdefault(label, {}).setdefault(row.get("epochs", 0), []).append(row)
    cells = [(label, *(_seeds(by_epoch.get(epoch), recipes) for epoch in epochs)) for label, by_epoch in found.items()]
    header = ["pixel AUROC / AUPRO", "untrained", *(f"{epoch} epoch{'s' if epoch > 1 else ''}" for epoch in epochs[1:])]
    return Table(header, cells)


def _seeds(rows: Sequence[Mapping[str, Any]] | None, recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """One cell of the table of held-out families: the means over the seeds of one setting."""
    if not rows:
        return ""
    text = " / ".join(f"{100 * fmean(row[name] for row in rows):.1f}" for name in ("pixel_auroc", "pixel_aupro"))
    recipe = recipes.get(rows[0]["method"])
    chosen = recipe is not None and all(rows[0].get(name) == recipe[name] for name in ("lr", "batch", "epochs"))
    return f"**{text}**" if chosen else text


def _difference(values: Sequence[float]) -> str:
    """Format differences in points: the smallest, and each seed if there are several."""
    shown = f"{100 * min(values):+.1f}"
    return shown if len(values) == 1 else f"{shown} ({', '.join(f'{100 * value:+.1f}' for value in values)})"


def _defined(value: float | None) -> float:
    """The value of a metric, which is always defined, because every class of the demo has both labels."""
    if value is None:
        raise SystemExit("a metric is undefined; was the set cut short?")
    return value
