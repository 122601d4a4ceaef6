"""`zsadbench audit`: every AUPRO, AP and F1 variant of saved maps side by side, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import (
    Fields,
    Json,
    Plugin,
    Quiet,
    RequestFlags,
    Verbose,
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say, say_json, table, tell
from zsadbench.cli.tables.fpr_spans import NARROWEST, narrowest, percent
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import OUTPUT
from zsadbench.saved_maps.request import ScoreRequest, only_target

if TYPE_CHECKING:
    from zsadbench.metrics.variants_known import KnownValue
    from zsadbench.saved_maps.metric_audit import ClassVariants, RankingFlip


FLAGS = RequestFlags(
    ScoreRequest,
    "classes limit protocol data_roots normal max_pixels image_size",
    allow_partial="Leave out images that one of the folders has no map of.",
)
EXAMPLES = examples(
    "zsadbench audit maps/ --target visa",
    "zsadbench audit ours/ theirs/ --target mvtec --per-class",
)


@with_flags
def audit(
    maps: Annotated[list[Path], typer.Argument(metavar="MAPS", help="Folders with one map per image.")],
    target: Annotated[
        Fields, RequestFlags(RunRequest, targets="Data set (default: that of the record next to the maps).")
    ],
    fields: Annotated[Fields, FLAGS],
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print a table per class, too.", rich_help_panel=OUTPUT)
    ] = False,
    plugin: Plugin = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check the metrics on detectors of known value, then compare their variants on saved maps.

    Exit codes: 0 done, 1 a variant differs from its known value, 2 usage, 3 the target or maps are missing, 5 some
    classes failed.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.metrics.variants_known import known_values
    from zsadbench.saved_maps.metric_audit import make_variants_plan, measure_variants, ranking_flips

    named = target["targets"]
    request = ScoreRequest(maps[0], only_target(named) if named else "", **fields)
    plan = make_variants_plan(maps, request)
    known = known_values()
    _show_known(known, json=json)
    audits = []
    for audited in measure_variants(plan):
        audits.append(audited)
        if audited.failure:
            tell(f"error: {audited.class_name}: {audited.failure}")
        else:
            tell(audited.class_name, quiet=quiet)
        _show_class(audited, json=json, shown=per_class and not audited.failure)
    _show_mean(audits, list(plan.files), plan.truth.target.card.name, json=json)
    if any(not audited.failure for audited in audits):
        _show_flips(ranking_flips(audits), len(audits), several=len(plan.files) > 1, json=json)
    _leave(known, audits, json=json)


def _leave(known: Sequence[KnownValue], audits: Sequence[ClassVariants], *, json: bool) -> None:
    """Leave with 1 where a known value is wrong, with 5 where a class failed."""
    wrong, failed = sum(not value.passed for value in known), sum(bool(audited.failure) for audited in audits)
    if json:
        say_json({"event": "done", "wrong": wrong, "classes": len(audits) - failed, "failed": failed})
    if wrong or failed:
        raise typer.Exit(1 if wrong else 5)


def _show_known(known: Sequence[KnownValue], *, json: bool) -> None:
    """Print the values of the five detectors; a wrong one is followed by the value that it must have."""
    if json:
        for value in known:
            say_json({"event": "check", **value._asdict()})
        return
    cells: dict[str, list[str]] = {}
    for value in known:
        must = "" if value.passed else f" ≠ {percent(value.expected)}"
        cells.setdefault(value.variant, []).append(percent(value.found) + must)
    header = ["variant", *dict.fromkeys(value.detector for value in known)]
    table("detectors of known value", header, [(name, *row) for name, row in cells.items()])
    wrong = sum(not value.passed for value in known)
    say(f"{len(known)} values, {f'{wrong} of them wrong' if wrong else 'all correct'}; -: undefined", "")


def _show_class(audited: ClassVariants, *, json: bool, shown: bool) -> None:
    """Print the variants of one class: one JSON object per folder, or a table if `shown`."""
    from zsadbench.saved_maps.metric_audit import variant_values

    for folder, variants in audited.variants.items() if json else ():
        reasons = {name: estimate.reason for name, estimate in variants.values.items() if estimate.value is None}
        spans = {str(limit): span._asdict() if span else None for limit, span in variants.spans.items()}
        about = {"values": variant_values(variants), "undefined": reasons, "span_200": spans}
        say_json({"event": "class", "maps": folder, "class": audited.class_name, **about})
    if shown and not json:
        columns = {folder: variant_values(variants) for folder, variants in audited.variants.items()}
        _variants_table(audited.class_name, {folder: (row, {}) for folder, row in columns.items()})


def _show_mean(audits: Sequence[ClassVariants], folders: Sequence[str], target: str, *, json: bool) -> None:
    """Print the means over the classes that did not fail, and the rates that the 200 thresholds cover."""
    from zsadbench.saved_maps.metric_audit import mean_values

    measured = [audited for audited in audits if not audited.failure]
    columns = {name: mean_values(measured, name) for name in folders}
    if json:
        for name, (values, sizes) in columns.items():
            say_json({"event": "mean", "maps": name, "values": values, "classes": sizes})
    elif measured:
        fewer = {name: {key: n for key, n in row[1].items() if n < len(measured)} for name, row in columns.items()}
        title = (
            f"{target}, mean of {len(measured)} classes" if len(audits) > 1 else f"{target}/{measured[0].class_name}"
        )
        _variants_table(title, {name: (columns[name][0], fewer[name]) for name in folders})
        _spans_table(measured, folders)


def _variants_table(title: str, columns: Mapping[str, tuple[Mapping[str, float | None], Mapping[str, int]]]) -> None:
    """Print one row per variant and one column per folder; a mean over fewer classes is followed by their number."""
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


def _spans_table(audits: Sequence[ClassVariants], folders: Sequence[str]) -> None:
    """Print which false positive rates below each limit the 200 thresholds cover, for the class with the fewest."""
    limits = next(iter(audits[0].variants.values())).spans
    rows = []
    for limit in limits:
        spans = {
            name: [(audited.variants[name].spans[limit], audited.class_name) for audited in audits] for name in folders
        }
        rows.append((f"0–{percent(limit)}", *(narrowest(spans[name]) for name in folders)))
    table(NARROWEST, ["rates", *folders], rows)


def _show_flips(pairs: Sequence[RankingFlip], classes: int, *, several: bool, json: bool) -> None:
    """Print the pairs of folders that a variant ranks differently than the exact definition."""
    if json:
        for flip in pairs:
            say_json({"event": "flip", **flip._asdict(), "leads": list(flip.leads), "classes": list(flip.classes)})
    elif not several:
        say("one folder: nothing to rank")
    elif not pairs:
        say("no variant ranks these folders differently than the exact definition, in the mean or in a class")
    else:
        rows = [_flip_row(flip, classes) for flip in pairs]
        header = [
            "variant",
            "exact definition",
            "folders",
            "ahead by it, mean",
            "ahead by the variant",
            "classes that flip",
        ]
        table("where the ranking flips", header, rows)


def _flip_row(flip: RankingFlip, classes: int) -> tuple[str, ...]:
    """Return the row of one pair of folders and one variant."""
    leads = (f"{flip.first if lead >= 0 else flip.second} +{100 * abs(lead):.2f}" for lead in flip.leads)
    named = ", ".join(flip.classes[:3]) + (", …" if len(flip.classes) > 3 else "")
    count = f"{len(flip.classes)} of {classes}" + (f": {named}" if named else "")
    return (flip.variant, flip.exact, f"{flip.first}, {flip.second}", *leads, count)
