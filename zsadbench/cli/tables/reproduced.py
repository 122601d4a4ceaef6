"""What `zsadbench reproduce` prints: a paper's table with our numbers, what is missing, claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zsadbench import registry
from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.printing import duration_text
from zsadbench.reproduce.tables import row_label, tables_of, tally

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.compare.claims import Outcome
    from zsadbench.compare.paper_rows import PaperTable
    from zsadbench.engine.results import Results
    from zsadbench.reproduce.layout import Layout
    from zsadbench.reproduce.needs import Needs, Work
    from zsadbench.reproduce.numbers import ReproducedNumber

FORMATS = ("latex", "markdown", "html")
GPU_RATE = 300  # images per second of the graphics processor that the hours are also told for


def print_table(layout: Layout, cells: Sequence[ReproducedNumber], results: Results, *, json: bool) -> None:
    """Print one small table per data set, then the reasons, the signatures of the runs and the count of verdicts."""
    if json:
        for cell in cells:
            say_json(_event(cell))
        counts = {verdict.replace(" ", "_"): count for verdict, count in tally(cells).items()}
        run = {"finished": results.finished, "skipped": results.skipped, "failed": results.failed}
        say_json({"event": "done", "table": layout.table.name, **run, **counts})
        return
    say(layout.table.title, "")
    for part in tables_of(layout, cells, [record for _, record in results.records]):
        table(part.caption, [part.head, *part.columns], [(row.label, *map(str, row.cells)) for row in part.rows])
        say(*part.notes)
    for path, _ in results.records:
        say(f"record: {path}")


def write_files(layout: Layout, cells: Sequence[ReproducedNumber], results: Results, folder: Path) -> Iterator[Path]:
    """Write the table as LaTeX, Markdown and HTML below `folder`, `PAPER_tableN.tex` and so on; yield the paths."""
    tables = tables_of(layout, cells, [record for _, record in results.records])
    stem = folder / layout.table.name.replace(":", "_")
    for name in FORMATS:
        report = registry.load("reports", name)
        if report.write_tables is not None:
            yield report.write_tables(tables, layout.table.title, stem)


def _event(cell: ReproducedNumber) -> dict[str, Any]:
    row, run = cell.run.row, cell.run
    about = {"row": row.label, "method": row.method, "options": list(row.options), "shots": row.shots}
    where = {"target": run.target if cell.class_name else None, "used": run.used, "class": cell.class_name or None}
    numbers = {"published": cell.published, "measured": cell.measured, "spread": cell.spread}
    judged = {"difference": cell.difference, "verdict": cell.verdict, "because": cell.because}
    changed = {"substituted": list(run.changed)}
    return {"event": "cell", **about, **where, "metric": cell.metric, **numbers, **judged, **changed}


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
    say(f"time: {needs.petamacs:.3g} PMAC of the image tower; {_hours(needs)}")
    parts = f"{needs.weights_gb:.2f} GB of weights to get, {needs.tokens_gb:.2f} GB of cached tokens"
    more = "" if not any(need.missing for need in needs.data) else "; plus the data sets, whose cards state no size"
    say(f"disk: {parts}{more}; {needs.free_gb:.1f} GB are free")
    if needs.complete:
        say("nothing is missing")


def _hours(needs: Needs) -> str:
    """Say how long the runs take on this CPU, and on a graphics processor that encodes `GPU_RATE` images per second."""
    here, there = duration_text(3600 * needs.hours), duration_text(needs.images / GPU_RATE)
    return f"about {here} on this CPU; about {there} on one GPU of {GPU_RATE} images/s"


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
    work = {"petamacs": needs.petamacs, "images": needs.images, "hours": needs.hours, "complete": needs.complete}
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
