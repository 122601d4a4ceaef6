"""Tables of gaps: measured next to published numbers, and the numbers on which papers contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.frame import AUPRO, HEADINGS
from zsadbench.compare.gap import DEVIATIONS, OFFICIAL_TOLERANCE, TOLERANCE, Gap, conflicts, gaps
from zsadbench.compare.tables.layout import Judged, Row, Table

READ = "Published → measured, with the difference in points and the verdict; [n]: not judged, for the reason below."
RULE = (
    f"agrees: the numbers differ by at most the larger of {TOLERANCE} points and {DEVIATIONS:g} standard deviations "
    f"over seeds; with a published checkpoint, by at most {OFFICIAL_TOLERANCE}."
)


class Reasons:
    """The reasons below a table, each once and numbered from 1 in the order of their use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, reason: str) -> int:
        """The number of a reason."""
        return self._numbers.setdefault(reason, len(self._numbers) + 1)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line per reason."""
        return tuple(f"[{number}] {reason}" for reason, number in self._numbers.items())


def judged_cell(
    published: str, measured: str, difference: float | None, verdict: tuple[str, str], reasons: Reasons
) -> Judged:
    """A cell such as `92.1 → 92.4 (+0.3) agrees` or `92.1 → 92.4 [1]`; `verdict` is the verdict and why not."""
    name, because = verdict
    if because:
        return Judged(f"{published} → {measured} [{reasons.number(because)}]", name)
    gap = "" if difference is None else f" ({round(difference, 1) + 0.0:+.1f})"  # + 0.0: no minus before a zero
    return Judged(f"{published} → {measured}{gap} {name}", name)


def gap_tables(board: Board) -> list[Table]:
    """One table per method and comparability group: data sets over metrics, in one block per printed table.

    Only means over classes; empty where no number is both measured and published.
    """
    return tables_of_gaps(board, gaps(board.frame))


def tables_of_gaps(board: Board, found: Sequence[Gap]) -> list[Table]:
    """The tables of these gaps, as `gap_tables` makes them of all."""
    of_method: dict[tuple[str, str], list[Gap]] = {}
    for gap in found:
        if gap.class_name == "mean":
            of_method.setdefault((gap.entry, gap.group), []).append(gap)
    return [_gap_table(board, f"gaps-{number}", key, found) for number, (key, found) in enumerate(of_method.items(), 1)]


def _gap_table(board: Board, key: str, about: tuple[str, str], found: Sequence[Gap]) -> Table:
    """The table of one method in one group; `about` is the method and the group."""
    metrics = list(dict.fromkeys(HEADINGS.get(gap.metric, gap.metric) for gap in found))
    reasons = Reasons()
    rows: dict[tuple[str, str], dict[str, Judged]] = {}
    for gap in found:
        cells = rows.setdefault((_printed_in(board, gap), board.dataset(gap.target).title), {})
        cells[HEADINGS.get(gap.metric, gap.metric)] = _cell(gap, reasons)
    blocks = list(dict.fromkeys(block for block, _ in rows))
    titles = [board.dataset(target).title for target in board.ordered([gap.target for gap in found])]
    ordered = [(block, title) for block in blocks for title in dict.fromkeys(titles) if (block, title) in rows]
    lines = tuple(Row(title, _cells(rows[block, title], metrics), f"printed in {block}") for block, title in ordered)
    caption = f"{about[0]}: measured and published numbers. Measured: {about[1]}."
    return Table(key, caption, "data set", tuple(metrics), lines, (READ, RULE, *reasons.notes))


def _cells(cells: Mapping[str, Judged], metrics: Sequence[str]) -> tuple[str, ...]:
    return tuple(cells.get(metric, "-") for metric in metrics)


def _printed_in(board: Board, gap: Gap) -> str:
    return f"{board.papers[gap.paper].label if gap.paper in board.papers else gap.paper} Table {gap.table}"


def _cell(gap: Gap, reasons: Reasons) -> Judged:
    spread = "" if gap.measured.spread is None else f" ± {100 * gap.measured.spread:.1f}"
    measured = "-" if gap.measured.value is None else f"{100 * gap.measured.value:.1f}{spread}"
    return judged_cell(f"{100 * gap.published:.1f}", measured, gap.points, (gap.verdict, gap.because), reasons)


def conflict_tables(board: Board) -> list[Table]:
    """The quantities for which papers print different numbers; empty where there is none."""
    rows = []
    for conflict in conflicts(board.frame):
        printed = "; ".join(f"{100 * value:.1f} ({paper} Table {table})" for paper, table, value in conflict.numbers)
        metric = "AUPRO" if conflict.metric in AUPRO else HEADINGS.get(conflict.metric, conflict.metric)
        shots = f", {conflict.shots}-shot" if conflict.shots != "0" else ""
        rows.append(Row(f"{conflict.method}, {board.dataset(conflict.target).title}{shots}", (metric, printed)))
    caption = "Where papers print different numbers for one method and data set."
    return [Table("conflicts", caption, "method and data set", ("metric", "printed"), tuple(rows))] if rows else []
