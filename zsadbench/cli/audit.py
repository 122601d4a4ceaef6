"""`zsadbench audit`: every AUPRO, AP and F1 variant of saved maps side by side, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.score import Limit, Protocol, Size, only_target
from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, split, start_logging, table, targets_of, tell
from zsadbench.cli.tables.fpr_spans import NARROWEST, narrowest, percent

if TYPE_CHECKING:
    from zsadbench.metrics.variants_known import KnownValue
    from zsadbench.saved_maps.metric_audit import ClassAudit, Flip


def audit(
    maps: Annotated[list[Path], typer.Argument(metavar="MAPS...", help="Folders with one map an image.")],
    target: flags.Targets = None,
    class_: flags.Classes = None,
    limit: Limit = None,
    image_size: Size = None,
    protocol: Protocol = None,
    data_root: flags.DataRoots = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Leave out images that one of the folders has no map of.")
    ] = False,
    per_class: Annotated[bool, typer.Option("--per-class", help="A table of every class, too.")] = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Check the metrics on detectors of known value, then compare their variants on saved maps.

    Exit codes: 0 done, 1 a variant is not what it must be, 2 usage, 3 the target or maps are missing, 5 some classes
    failed.
    """
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.metrics.variants_known import known_values
    from zsadbench.saved_maps.metric_audit import audit as measure
    from zsadbench.saved_maps.metric_audit import flips, make_audit_plan
    from zsadbench.saved_maps.plan import ScoreRequest

    request = ScoreRequest(
        maps[0],
        only_target(targets_of(target)) if target else "",
        classes=split(class_),
        limit=limit,
        image_size=image_size,
        protocol=protocol,
        data_roots=tuple(data_root or ()),
        allow_partial=allow_partial,
    )
    plan = make_audit_plan(maps, request)
    known = known_values()
    _show_known(known, json=json)
    audits = []
    for one in measure(plan):
        audits.append(one)
        tell(
            f"error: {one.class_name}: {one.failure}" if one.failure else one.class_name,
            quiet=quiet and not one.failure,
        )
        _show_class(one, json=json, shown=per_class and not one.failure)
    _show_mean(audits, list(plan.found), plan.truth.target.card.name, json=json)
    if any(not one.failure for one in audits):
        _show_flips(flips(audits), len(audits), several=len(plan.found) > 1, json=json)
    _leave(known, audits, json=json)


def _leave(known: Sequence[KnownValue], audits: Sequence[ClassAudit], *, json: bool) -> None:
    wrong, failed = sum(not one.passed for one in known), sum(bool(one.failure) for one in audits)
    if json:
        say_json({"event": "done", "wrong": wrong, "classes": len(audits) - failed, "failed": failed})
    if wrong or failed:
        raise typer.Exit(1 if wrong else 5)


def _show_known(known: Sequence[KnownValue], *, json: bool) -> None:
    """What the five detectors gave; a value that must be another is followed by that."""
    if json:
        for one in known:
            say_json({"event": "check", **one._asdict()})
        return
    cells: dict[str, list[str]] = {}
    for one in known:
        must = "" if one.passed else f" ≠ {percent(one.expected)}"
        cells.setdefault(one.variant, []).append(percent(one.found) + must)
    header = ["variant", *dict.fromkeys(one.detector for one in known)]
    table("detectors of known value", header, [(name, *row) for name, row in cells.items()])
    wrong = sum(not one.passed for one in known)
    say(f"{len(known)} values, {f'{wrong} of them wrong' if wrong else 'all as they must be'}; -: undefined", "")


def _show_class(audited: ClassAudit, *, json: bool, shown: bool) -> None:
    from zsadbench.saved_maps.metric_audit import values_of

    for made, found in audited.variants.items() if json else ():
        reasons = {name: one.reason for name, one in found.values.items() if one.value is None}
        spans = {str(limit): span._asdict() if span else None for limit, span in found.spans.items()}
        about = {"values": values_of(found), "undefined": reasons, "span_200": spans}
        say_json({"event": "class", "maps": made, "class": audited.class_name, **about})
    if shown and not json:
        columns = {made: values_of(found) for made, found in audited.variants.items()}
        _variants_table(audited.class_name, {made: (row, {}) for made, row in columns.items()})


def _show_mean(audits: Sequence[ClassAudit], made: Sequence[str], target: str, *, json: bool) -> None:
    from zsadbench.saved_maps.metric_audit import means

    measured = [one for one in audits if not one.failure]
    columns = {name: means(measured, name) for name in made}
    if json:
        for name, (values, sizes) in columns.items():
            say_json({"event": "mean", "maps": name, "values": values, "classes": sizes})
    elif measured:
        fewer = {name: {key: n for key, n in row[1].items() if n < len(measured)} for name, row in columns.items()}
        title = (
            f"{target}, mean of {len(measured)} classes" if len(audits) > 1 else f"{target}/{measured[0].class_name}"
        )
        _variants_table(title, {name: (columns[name][0], fewer[name]) for name in made})
        _spans_table(measured, made)


def _variants_table(title: str, columns: Mapping[str, tuple[Mapping[str, float | None], Mapping[str, int]]]) -> None:
    """Variants down, folders across; a mean over fewer classes says over how many."""
    names = next(iter(columns.values()))[0]
    rows = [
        (
            name,
            *(
                percent(values[name]) + (f" ({sizes[name]})" if sizes.get(name) else "")
                for values, sizes in columns.values()
            ),
        )
        for name in names
    ]
    table(title, ["variant", *columns], rows)


def _spans_table(audits: Sequence[ClassAudit], made: Sequence[str]) -> None:
    """Of the false positive rates below each limit, those that the 200 thresholds see; the narrowest class."""
    limits = next(iter(audits[0].variants.values())).spans
    rows = []
    for limit in limits:
        spans = {name: [(one.variants[name].spans[limit], one.class_name) for one in audits] for name in made}
        rows.append((f"0–{percent(limit)}", *(narrowest(spans[name]) for name in made)))
    table(NARROWEST, ["rates", *made], rows)


def _show_flips(found: Sequence[Flip], classes: int, *, several: bool, json: bool) -> None:
    if json:
        for flip in found:
            say_json({"event": "flip", **_flip_json(flip)})
    elif not several:
        say("one folder: nothing to rank")
    elif not found:
        say("no variant ranks these folders otherwise than the exact definition, in the mean or in a class")
    else:
        rows = [_flip_row(flip, classes) for flip in found]
        header = ["variant", "against", "folders", "ahead by that, mean", "ahead by the variant", "classes that flip"]
        table("where the ranking flips", header, rows)


def _flip_json(flip: Flip) -> dict[str, Any]:
    return {**flip._asdict(), "leads": list(flip.leads), "classes": list(flip.classes)}


def _flip_row(flip: Flip, classes: int) -> tuple[str, ...]:
    leads = (f"{flip.first if lead >= 0 else flip.second} +{100 * abs(lead):.2f}" for lead in flip.leads)
    named = ", ".join(flip.classes[:3]) + (", …" if len(flip.classes) > 3 else "")
    count = f"{len(flip.classes)} of {classes}" + (f": {named}" if named else "")
    return (flip.variant, flip.exact, f"{flip.first}, {flip.second}", *leads, count)
