"""The table of results on the demo, mean over classes and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from zsadbench.records import find_records

HEADINGS = {
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro": "AUPRO",
    "pixel_ap": "pixel AP",
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
}
ORDER = ("clip", "fbclip", "anomalyclip", "afclip")
BEGIN, END = "<!-- made by `make readme` -->", "<!-- end -->"


def table_of(results: Path) -> str:
    """Make the table in Markdown: mean over classes in percent; over several seeds, mean and deviation (ddof 1).

    The controls of tools/demo_table are left out.

    Raises:
        SystemExit: a method has no record.
    """
    records = [record for _, record in find_records(results) if _wanted(record.cell)]
    rows = ["| method | seeds | " + " | ".join(HEADINGS.values()) + " |", "| --- " * (2 + len(HEADINGS)) + "|"]
    for method in ORDER:
        means = [record.mean()[0] for record in records if record.cell["method"] == method]
        if not means:
            raise SystemExit(f"{results}: no record of {method}; run tools/demo_table first")
        cells = [_spread(means, metric) for metric in HEADINGS]
        rows.append(f"| `{method}` | {len(means)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def placed(text: str, table: str) -> str:
    """Replace the table between the marks in a text.

    Raises:
        SystemExit: a mark is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the text lacks the marks '{BEGIN}' and '{END}', between which the table stands")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def _wanted(cell: dict[str, Any]) -> bool:
    """Whether a record is of the demo and not a control: the method was trained, if it can be, on unpermuted masks."""
    if cell["target"]["name"] != "demo" or cell["limit"] is not None:
        return False
    recipe = cell["recipe"]
    return cell["method"] == "clip" or (cell["aux"] is not None and not (recipe or {}).get("permuted"))


def _spread(means: Sequence[Mapping[str, float | None]], metric: str) -> str:
    values = [100 * value for of_seed in means if (value := of_seed[metric]) is not None]
    return f"{values[0]:.1f}" if len(values) == 1 else f"{fmean(values):.1f} ± {stdev(values):.1f}"
