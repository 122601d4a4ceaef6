"""What `zsadbench reproduce` prints: a paper's table with our numbers, what is missing, claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.compare.frame import AUPRO, HEADINGS, is_cost
from zsadbench.compare.tables.published import COSTS, DIGITS
from zsadbench.data import find_card

if TYPE_CHECKING:
    from zsadbench.compare.claims import Outcome
    from zsadbench.compare.paper_rows import PaperRow, PaperTable
    from zsadbench.engine.run import Results
    from zsadbench.reproduce.layout import Layout, RowRun
    from zsadbench.reproduce.needs import Needs, Work
    from zsadbench.reproduce.numbers import ReproducedNumber

LEGEND = "printed → ours, difference and verdict; [n]: not judged, or not run, for the reason below."
VERDICTS = ("agrees", "drifts", "not comparable", "not run")


def tally(cells: Sequence[ReproducedNumber]) -> dict[str, int]:
    """Count the cells of each verdict."""
    counts = Counter(cell.verdict for cell in cells)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def print_table(layout: Layout, cells: Sequence[ReproducedNumber], results: Results, *, json: bool) -> None:
    """Print one small table per data set, then the reasons, the signatures of the runs and the count of verdicts."""
    if json:
        for cell in cells:
            say_json(_event(cell))
        counts = {verdict.replace(" ", "_"): count for verdict, count in tally(cells).items()}
        run = {"finished": results.finished, "skipped": results.skipped, "failed": results.failed}
        say_json({"event": "done", "table": layout.table.name, **run, **counts})
        return
    say(layout.table.title, LEGEND, "")
    notes: dict[str, int] = {}
    for target in dict.fromkeys(cell.run.target if cell.class_name else "" for cell in cells):
        shown = [cell for cell in cells if (cell.run.target if cell.class_name else "") == target]
        _print_part(target, shown, notes)
    for variant, rows in _variants(cells).items():
        say(f"AUPRO of ours is the variant {variant} in: {', '.join(rows)}")
    for reason, number in notes.items():
        say(f"[{number}] {reason}")
    for path, record in results.records:
        say(record.signature, f"  {path}")
    say("; ".join(f"{count} {verdict}" for verdict, count in tally(cells).items()))


def _variants(cells: Sequence[ReproducedNumber]) -> dict[str, list[str]]:
    """Map each AUPRO variant to the rows in which our number is of this variant."""
    rows: dict[str, list[str]] = {}
    for cell in cells:
        label = row_label(cell.run.row)
        if cell.metric in AUPRO and cell.measured is not None and label not in rows.setdefault(AUPRO[cell.metric], []):
            rows[AUPRO[cell.metric]].append(label)
    return rows


def _event(cell: ReproducedNumber) -> dict[str, Any]:
    row, run = cell.run.row, cell.run
    about = {"row": row.label, "method": row.method, "options": list(row.options), "shots": row.shots}
    where = {"target": run.target if cell.class_name else None, "used": run.used, "class": cell.class_name or None}
    numbers = {"published": cell.published, "measured": cell.measured, "spread": cell.spread}
    judged = {"difference": cell.difference, "verdict": cell.verdict, "because": cell.because}
    changed = {"substituted": list(run.changed)}
    return {"event": "cell", **about, **where, "metric": cell.metric, **numbers, **judged, **changed}


def _print_part(target: str, cells: Sequence[ReproducedNumber], notes: dict[str, int]) -> None:
    """Print the cells of one data set: one row per row of the paper, or per class; one column per metric."""
    metrics = list(dict.fromkeys(_heading(cell) for cell in cells))
    by_class = any(cell.class_name not in {"mean", ""} for cell in cells)
    texts_of: dict[str, dict[str, str]] = {}
    for cell in cells:
        label = cell.class_name if by_class else row_label(cell.run.row) + mark_of(cell.run)
        texts_of.setdefault(label, {})[_heading(cell)] = _text(cell, notes)
    rows = [(label, *(texts.get(metric, "-") for metric in metrics)) for label, texts in texts_of.items()]
    table(_title(target, cells), ["class" if by_class else "row", *metrics], rows)


def _title(target: str, cells: Sequence[ReproducedNumber]) -> str:
    used = next((cell.run.used for cell in cells), target)
    if not target:
        return f"cost, on {used}"
    title = find_card(target).title
    return title if used == target else f"{title} ({used} in its place)"


def _heading(cell: ReproducedNumber) -> str:
    if is_cost(cell.metric):
        return COSTS[cell.metric]
    return "AUPRO" if cell.metric in AUPRO else HEADINGS[cell.metric]


def row_label(row: PaperRow) -> str:
    """Return the label of a row, with its number of shots if it is few-shot."""
    shots = "" if row.shots == 0 else ", all normal images" if row.shots < 0 else f", {row.shots}-shot"
    return row.label + shots


def mark_of(run: RowRun) -> str:
    """Return what marks a row of a method without official code, or whose image scores use all images of a class."""
    marks = [mark for mark in ("unofficial", "transductive") if any(job.cell.get(mark) for job in run.jobs)]
    return f" [{', '.join(marks)}]" if marks else ""


def _text(cell: ReproducedNumber, notes: dict[str, int]) -> str:
    printed, ours = (_number(value, cell.metric) for value in (cell.published, cell.measured))
    if cell.because:
        number = notes.setdefault(cell.because, len(notes) + 1)
        return f"{printed} → {ours} [{number}]"
    difference = "" if cell.difference is None else f" ({cell.difference:+.1f})"
    return f"{printed} → {ours}{difference} {cell.verdict}"


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value:.{DIGITS.get(metric, 1)}f}" if is_cost(metric) else f"{100 * value:.1f}"


def print_needs(paper_table: PaperTable, needs: Needs, *, json: bool) -> None:
    """Print what a table needs: its rows, then data, weights, hours and disk space."""
    if json:
        for work in needs.works:
            say_json({"event": "plan", **_work(work)})
        say_json(_needs_event(paper_table, needs))
        return
    say(paper_table.title)
    header = ["row", "method", "data sets", "learns from", "epochs", "records", "state"]
    table("", header, _grouped(needs.works))
    for need in needs.data:
        count = "unknown number of" if need.images is None else str(need.images)
        say(f"data: {need.title}, {count} images: {_state(need.missing)}")
    for weights in needs.weights:
        say(f"weights of {weights.backbone}: {_state(weights.missing)}")
    say(f"time: {needs.petamacs:.3g} PMAC of the image tower; roughly {needs.hours:.1f} hours on this CPU")
    parts = f"{needs.weights_gb:.2f} GB of weights to get, {needs.tokens_gb:.2f} GB of cached tokens"
    more = "" if not any(need.missing for need in needs.data) else "; plus the data sets, whose cards state no size"
    say(f"disk: {parts}{more}; {needs.free_gb:.1f} GB are free")
    if needs.complete:
        say("nothing is missing")


def _grouped(works: Sequence[Work]) -> list[tuple[str, ...]]:
    """Return one row for all data sets on which a row of the paper has the same needs."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for work in works:
        event = _work(work)
        key = tuple(str(event[name]) for name in ("label", "method", "aux", "epochs", "records", "state"))
        alike.setdefault(key, []).append(event["target"])
    return [(*key[:2], _some(names), *key[2:]) for key, names in alike.items()]


def _some(names: Sequence[str]) -> str:
    """Join up to four names, or the first three and the number of the others.

    >>> _some(["mvtec", "visa"]), _some(["mvtec", "visa", "mpdd", "btad", "dagm"])
    ('mvtec, visa', 'mvtec, visa, mpdd and 2 more')
    """
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _state(missing: str) -> str:
    return f"missing: {missing}" if missing else "here"


def _work(work: Work) -> dict[str, Any]:
    running = work.state in {"to run", "done"}
    learns = (work.request.aux if work.needs_aux else "supports") if running and work.trains else "-"
    return {
        "label": row_label(work.row),
        "method": work.row.method,
        "options": list(work.row.options),
        "target": work.used if work.used == work.target else f"{work.used} for {work.target}",
        "aux": learns,
        "epochs": work.epochs if running else 0,
        "records": work.runs if running else 0,
        "seeds": list(work.request.seeds),
        "state": work.state,
    }


def _needs_event(paper_table: PaperTable, needs: Needs) -> dict[str, Any]:
    data = [
        {"name": need.name, "images": need.images, "homepage": need.homepage, "missing": need.missing or None}
        for need in needs.data
    ]
    weights = {
        "backbone": ", ".join(need.backbone for need in needs.weights),
        "missing": "; ".join(need.missing for need in needs.weights if need.missing) or None,
        "gigabytes": needs.weights_gb,
    }
    disk = {"tokens_gb": needs.tokens_gb, "free_gb": needs.free_gb}
    work = {"petamacs": needs.petamacs, "hours": needs.hours, "complete": needs.complete}
    return {"event": "needs", "table": paper_table.name, "data": data, "weights": weights, **disk, **work}


def print_claims(outcomes: Sequence[Outcome], *, json: bool) -> None:
    """Print every claim: what the paper says, what its tables give, and whether it holds."""
    if json:
        for outcome in outcomes:
            say_json({"event": "claim", **outcome._asdict()})
        return
    for outcome in outcomes:
        say(f"{'holds' if outcome.holds else 'DOES NOT HOLD'}: {outcome.says} ({outcome.where})")
        say(f"  said {outcome.said}; recomputed {outcome.found}{': ' + outcome.detail if outcome.detail else ''}")
    say(f"{sum(outcome.holds for outcome in outcomes)} of {len(outcomes)} claims hold")
