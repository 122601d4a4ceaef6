"""`zsadbench tune`: choose options on held-out classes of an auxiliary set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.completion import complete_metrics
from zsadbench.cli.shared.logs import start_log_file, start_logging
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
from zsadbench.cli.shared.requests import learned_from
from zsadbench.engine.plan.request import RunRequest
from zsadbench.files import write_atomically
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out_file

if TYPE_CHECKING:
    from zsadbench.engine.tune import Setting, TuningPlan

FLAGS = RequestFlags(
    RunRequest,
    "methods seeds limit options sweep protocol data_roots allow_partial normal max_pixels backbone weights epochs "
    "image_size offline device engine jobs precision batch_size workers image_cache token_cache token_precision",
    aux="Auxiliary set, whose classes are held out in turn (default: mvtec; demo-aux for the demo backbone).",
)
EXAMPLES = examples(
    "zsadbench tune -m clip --aux demo-aux -O 'temperature=0.02|0.07|0.2'",
    "zsadbench tune -m afclip --aux visa -O 'recipe.lr=1e-4|1e-3' --seed 0,1",
)


@with_flags
def tune(
    fields: Annotated[Fields, FLAGS],
    metric: Annotated[
        str,
        typer.Option(
            help="Metric that is to be large.", metavar="NAME", rich_help_panel=WHAT, autocompletion=complete_metrics
        ),
    ] = "pixel_auroc",
    folds: Annotated[
        int, typer.Option(help="Parts of the classes that are held out in turn.", metavar="K", rich_help_panel=WHAT)
    ] = 3,
    plugin: Plugin = None,
    out: Annotated[
        Path,
        typer.Option(
            help="File for the chosen options, in place of an earlier one.",
            metavar="FILE.toml",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("tuned.toml"),
    records: Annotated[
        Path, typer.Option(help="Folder for the records of the folds.", metavar="PATH", rich_help_panel=OUTPUT)
    ] = Path("tuning"),
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Choose options of methods on held-out classes of an auxiliary set, and write them to a file for run --sweep.

    Each setting is trained on the other classes (a method without training is only evaluated); no target is read. The
    same command again goes on where it was ended.

    Exit codes: 0 done, 2 usage, 3 data, 4 weights, 5 some runs failed and nothing is chosen, 130 interrupted.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.cli.shared.progress import run_with_progress
    from zsadbench.engine.tune import as_toml, best_of, make_tuning_plan, settings_in

    check_out_file(out)
    aux = learned_from(fields)
    request = RunRequest(**{**fields, "targets": (aux,), "aux": aux, "out": records})
    tuning = make_tuning_plan(request, metric, folds)
    results, log_file = [], start_log_file(records)
    for number, (plan, held_out) in enumerate(zip(tuning.plans, tuning.folds, strict=True), start=1):
        tell(f"fold {number} of {len(tuning.folds)}, held out: {', '.join(held_out)}", quiet=quiet)
        results.append(run_with_progress(plan, json=json, quiet=quiet, log_file=log_file))
    settings = settings_in(tuning, results)
    best = [best_of(settings, method) for method in request.methods]
    chosen = [setting for setting in best if setting is not None]
    _show(tuning, settings, chosen, json=json)
    if len(chosen) < len(best):
        raise typer.Exit(5)
    write_atomically(out, as_toml(tuning, settings, chosen).encode())
    say_json({"event": "file", "path": str(out)}) if json else say(
        f"written: {out}; use it with zsadbench run --sweep {out}"
    )


def _show(tuning: TuningPlan, settings: Sequence[Setting], chosen: Sequence[Setting], *, json: bool) -> None:
    """Print a row per setting of each method, the folds, and the lead of the chosen setting."""
    for method in dict.fromkeys(setting.name for setting in settings):
        own = [setting for setting in settings if setting.name == method]
        best = next((setting for setting in chosen if setting.name == method), None)
        if json:
            for setting in own:
                say_json(_event(tuning, setting, chosen=setting is best))
        else:
            _show_method(tuning, own, best)


def _event(tuning: TuningPlan, setting: Setting, *, chosen: bool) -> dict[str, object]:
    """Return the JSON object of a setting; values are fractions."""
    about = {"method": setting.name, "setting": dict(setting.values), "metric": tuning.metric}
    numbers = {"folds": list(setting.folds), "mean": setting.mean, "spread": setting.spread}
    return {"event": "setting", **about, **numbers, "why": setting.why, "chosen": chosen}


def _show_method(tuning: TuningPlan, settings: Sequence[Setting], best: Setting | None) -> None:
    from zsadbench.compare.frame import HEADINGS
    from zsadbench.engine.plan.settings import value_text

    folds = [f"fold {number}" for number in range(1, len(tuning.folds) + 1)]
    heading = HEADINGS.get(tuning.metric, tuning.metric)
    rows = [
        (
            *map(value_text, setting.values.values()),
            _percent(setting.mean) + (f" ± {_percent(setting.spread)}" if setting.spread is not None else ""),
            *map(_percent, setting.folds),
            "chosen" if setting is best else "",
        )
        for setting in settings
    ]
    title = f"{settings[0].name}: {heading} on held-out classes of {tuning.aux}, mean ± deviation over folds"
    table(title, [*settings[0].values, heading, *folds, ""], rows, optional=folds)
    for setting in settings:
        if setting.why:
            say(f"-: {setting.why}")
    if best is None:
        say("nothing is chosen, as a setting has no value; the same command again runs what is missing")
    elif len(settings) > 1:
        _show_lead(best, [setting for setting in settings if setting is not best])


def _show_lead(best: Setting, others: Sequence[Setting]) -> None:
    """Say by how much the chosen setting leads the next one, on the same folds."""
    second = max(others, key=lambda setting: setting.mean or 0.0)
    gaps = [(own or 0.0) - (other or 0.0) for own, other in zip(best.folds, second.folds, strict=True)]
    say(f"lead over the next: {100 * fmean(gaps):.2f} points, deviation over folds {100 * stdev(gaps):.2f}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
