"""The records that the README shows, and the table of their results, mean over classes and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from demo_table.runs import BASELINE, LEARNERS, TARGET, TRAINED, WITHOUT_TRAINING

from zsadbench.records import Record, find_records

HEADINGS = {
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro": "AUPRO",
    "pixel_ap": "pixel AP",
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
}
ORDER = (BASELINE, *TRAINED, *(name for name in WITHOUT_TRAINING if name != BASELINE), *LEARNERS)
BEGIN, END = "<!-- made by `make readme` -->", "<!-- end -->"


def shown(results: Path) -> dict[str, list[tuple[Path, Record]]]:
    """Find the records of every shown method, by seed; the controls of tools/demo_table are left out.

    Raises:
        SystemExit: a method has no record.
    """
    found: dict[str, list[tuple[Path, Record]]] = {method: [] for method in ORDER}
    for path, record in find_records(results):
        if _wanted(record.cell):
            found[record.cell["method"]].append((path, record))
    for method, of_method in found.items():
        if not of_method:
            raise SystemExit(f"{results}: no record of {method}; run tools/demo_table --all first")
        of_method.sort(key=lambda one: int(one[1].cell["seed"]))
    return found


def table_of(found: Mapping[str, Sequence[tuple[Path, Record]]]) -> str:
    """Make the table in Markdown: mean over classes in percent; over several seeds, mean and deviation (ddof 1)."""
    rows = ["| method | seeds | " + " | ".join(HEADINGS.values()) + " |", "| --- " * (2 + len(HEADINGS)) + "|"]
    for method, of_method in found.items():
        means = [record.mean()[0] for _, record in of_method]
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


def _wanted(cell: Mapping[str, Any]) -> bool:
    """Whether a record is of the demo and no control: default options, no training or one on unpermuted masks."""
    if cell["target"]["name"] != TARGET or cell["limit"] is not None or cell["options"] or cell["method"] not in ORDER:
        return False
    if cell["method"] in WITHOUT_TRAINING:
        return True
    return cell["aux"] is not None and not (cell["recipe"] or {}).get("permuted")


def _spread(means: Sequence[Mapping[str, float | None]], metric: str) -> str:
    values = [100 * value for of_seed in means if (value := of_seed[metric]) is not None]
    return f"{values[0]:.1f}" if len(values) == 1 else f"{fmean(values):.1f} ± {stdev(values):.1f}"
