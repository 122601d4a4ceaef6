"""`zsadbench score`: metrics for anomaly maps that some other program made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say_json, split, split_numbers, start_logging, targets_of, tell
from zsadbench.cli.shared.requests import readers
from zsadbench.errors import UsageError

Protocol = Annotated[
    str | None, typer.Option(help="Evaluation protocol (default: strict).", envvar="ZSADBENCH_PROTOCOL")
]
Limit = Annotated[
    int | None, typer.Option(help="Per class the first N normal and N anomalous images.", envvar="ZSADBENCH_LIMIT")
]
Size = Annotated[
    int | None,
    typer.Option(help="Side in pixels at which maps and masks meet (default: 518).", envvar="ZSADBENCH_IMAGE_SIZE"),
]


def score(
    maps: Annotated[
        Path, typer.Argument(metavar="MAPS", help="Folder with one map an image: .npy, .npz, .tiff, .png.")
    ],
    target: flags.Targets = None,
    class_: flags.Classes = None,
    method_name: Annotated[str | None, typer.Option(help="What made the maps (default: the folder's name).")] = None,
    seed: flags.Seeds = None,
    limit: Limit = None,
    image_size: Size = None,
    protocol: Protocol = None,
    metric: Annotated[list[str] | None, typer.Option(help="One more metric, such as pixel_aupro@0.05.")] = None,
    data_root: flags.DataRoots = None,
    out: Annotated[Path, typer.Option(help="Where the record goes.", envvar="ZSADBENCH_OUT")] = Path("results"),
    overwrite: Annotated[str, typer.Option(help="never, missing or always.", envvar="ZSADBENCH_OVERWRITE")] = "missing",
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Leave out images without a map; the record says so.")
    ] = False,
    workers: flags.Workers = None,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Measure maps named like the images of a target, and write the same record as a run.

    Exit codes: 0 done, 2 usage, 3 the target or maps are missing, 5 some classes failed and the others are kept.
    """
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.saved_maps.plan import ScoreRequest, make_score_plan
    from zsadbench.saved_maps.score import score_maps

    request = ScoreRequest(
        maps,
        only_target(targets_of(target)),
        classes=split(class_),
        limit=limit,
        image_size=image_size,
        protocol=protocol,
        metrics=split(metric),
        method_name=method_name,
        seed=only_seed(split_numbers(seed, "--seed")),
        workers=readers(workers),
        data_roots=tuple(data_root or ()),
        out=out,
        overwrite=overwrite,
        allow_partial=allow_partial,
    )
    plan = make_score_plan(request)
    results = score_maps(
        plan, lambda name, images: tell(f"{plan.cell['method']} on {name}: {images} maps", quiet=quiet)
    )
    for failure in results.failures:
        tell(f"error: {failure}")
    if json:
        from zsadbench.cli.shared.progress import record_event

        for path, record in results.records:
            say_json(record_event(path, record))
        say_json({"event": "done", **{name: getattr(results, name) for name in ("finished", "skipped", "failed")}})
    else:
        from zsadbench.cli.tables.results import print_results

        print_results(plan, results, request.metrics)
    if results.failures:
        raise typer.Exit(5)


def only_target(named: tuple[str, ...]) -> str:
    """The one target that maps belong to."""
    if len(named) != 1:
        raise UsageError(f"maps belong to one target, but --target names {len(named)}; pass one, such as --target visa")
    return named[0]


def only_seed(named: tuple[int, ...]) -> int | None:
    """The one seed that maps were made with, None where none was given."""
    if len(named) > 1:
        raise UsageError(f"maps were made with one seed, but --seed names {len(named)}")
    return named[0] if named else None
